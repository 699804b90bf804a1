"""`vfe curate`: from raw videos and portraits to a training set with its manifest (VividFace, section 3.3)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..batch.pool import TaskPool
from ..curation.config import ClipConfig
from ..curation.head_parser import ParserChoice
from ..curation.layouts import find_sources
from ..curation.manifest import MANIFEST, check_manifest, decide, publish
from ..curation.record import Record
from ..curation.run import Curation, Origin
from ..curation.sheet import SHEET, write_sheet
from ..curation.sources import Sources
from ..curation.work import Done, Task, Tools
from ..files.aside import remove_leftovers, written_aside
from ..types import VFEError
from ..video.probe import probe
from .curate_calibrate import show_calibration
from .curate_lines import CurateLines
from .curate_scorer import scorer_choice
from .errors import REPORTED, one_line
from .parser import WrongUsage
from .text import say


def run(args: argparse.Namespace) -> None:
    """Curate what is given into the folder of a training set.

    Raises WrongUsage for values that make no sense, and VFEError where a source or clip failed or nothing can be done.
    """
    _check_usage(args)
    if args.calibrate is not None:
        show_calibration(args.output, args.calibrate)
        return
    config = _config(args)
    check_manifest(args.output)
    lines = CurateLines(sys.stdout, sys.stderr)
    if args.dry_run:
        _tell_what_there_is(_sources(args, lines), lines)
    else:
        _make_folder(args.output)
        with Record(args.output) as record:
            if record.bad_lines:
                lines.note(f"{record.bad_lines} lines of {record.path} are no entries and count for nothing")
            if not args.finish:
                _curate(args, config, record, lines)
            _finish(args, record, lines)
    if lines.not_done:
        raise VFEError(f"{lines.not_done} sources or clips failed; the same command goes on with them")


def _curate(args: argparse.Namespace, config: ClipConfig, record: Record, lines: CurateLines) -> None:
    """Cut out and score what is not done yet. Ctrl-C leaves what is done."""
    choice = scorer_choice(args)
    scorer = choice()
    if scorer.name.startswith("heuristic"):
        lines.note("scores by the heuristic rank clips; they are not those of the paper's model, nor is its 90")
    parser = ParserChoice.of(config.mask, args.parsing)
    if config.mask == "head":
        lines.note(f"masks of heads: {'facexlib parsing' if parser.path else 'the box of the face, grown'}")
    tools = Tools(args.output, config, choice, parser)
    curation = Curation(args.output, record, scorer.key, Origin(args.open, args.licence))
    sources = _sources(args, lines)
    pool: TaskPool[Task, Done]
    try:
        with TaskPool(tools, args.jobs or 1) as pool:
            for event in curation.run(sources.sources, pool):
                lines.tell(event)
    finally:
        lines.clear()


def _finish(args: argparse.Namespace, record: Record, lines: CurateLines) -> None:
    """Apply the threshold, and write manifest and sheet."""
    outcome = decide(args.output, record, args.keep_above)
    publish(args.output, record, outcome, args.keep_above)
    sheet = args.output / SHEET
    remove_leftovers(sheet)
    with written_aside(sheet) as aside:
        write_sheet(aside, args.output, outcome)
    lines.table(outcome, args.keep_above)
    if outcome.kept and not any(judged.source.open for judged in outcome.kept):
        lines.note("nothing is marked open, which training asks for: curate with --open, or train with open_only=false")
    say(f"{args.output / MANIFEST}, {sheet}")


def _tell_what_there_is(sources: Sources, lines: CurateLines) -> None:
    """Say what would be looked through."""
    for source in sources.sources:
        try:
            info = probe(source.path)
        except REPORTED as error:
            if (line := one_line(error)) is None:
                raise
            lines.unread(source.name, line)
            continue
        parts = f", {len(source.parts)} part{'s' * (len(source.parts) != 1)}" if source.parts else ""
        frames = "" if source.kind == "hq_image" else f", {info.frames or 'unknown'} frames"
        say(f"{source.name}: {source.kind}, {info.width}x{info.height}{frames}{parts}")
    kinds = [source.kind for source in sources.sources]
    say(f"{kinds.count('hq_video')} videos, {kinds.count('hq_image')} portraits; nothing was done")


def _sources(args: argparse.Namespace, lines: CurateLines) -> Sources:
    """Return what is to be curated. Raises VFEError where there is nothing."""
    sources = find_sources(args.inputs, args.layout, args.output, frames=args.frames)
    for note in sources.notes:
        lines.note(note)
    for name, reason in sources.unread:
        lines.unread(name, reason)
    if not sources.sources and not sources.unread:
        raise VFEError(f"{', '.join(map(str, args.inputs))}: no videos or images there; is it another --layout?")
    return sources


def _check_usage(args: argparse.Namespace) -> None:
    if args.calibrate is not None and (args.inputs or args.finish or args.dry_run):
        raise WrongUsage("--calibrate looks at a set that is there; give it with -o alone")
    if args.calibrate is None and bool(args.inputs) == args.finish:
        raise WrongUsage("give videos or folders of them" if not args.inputs else "--finish looks at no videos")
    if args.finish and args.dry_run:
        raise WrongUsage("--finish and --dry-run exclude each other")
    if not 0 <= args.keep_above <= 100:
        raise WrongUsage(f"--keep-above {args.keep_above:g}, needed is a number from 0 to 100")
    if args.parsing is not None and args.mask != "head":
        raise WrongUsage("--parsing is for --mask head")
    if (args.finish or args.calibrate is not None) and not args.output.is_dir():
        raise VFEError(f"{args.output}: no such folder; curate videos into it first")


def _config(args: argparse.Namespace) -> ClipConfig:
    """Return how clips are cut out. Raises WrongUsage for values that make no sense."""
    try:
        return ClipConfig(
            side=args.side,
            least_frames=args.least_frames,
            most_frames=args.most_frames,
            margin=args.margin,
            least_face=args.min_face,
            mask=args.mask,
        )
    except ValueError as error:
        raise WrongUsage(str(error)) from error


def _make_folder(output: Path) -> None:
    """Make the folder of the set, and those above it. Raises VFEError where there is a file."""
    if output.exists() and not output.is_dir():
        raise VFEError(f"{output}: is a file; a training set needs a folder")
    output.mkdir(parents=True, exist_ok=True)
