"""`vfe conform`: restore what a timeline uses of its media, and write a timeline that points to the results."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ..batch.hold import Hold
from ..library.find import find_model
from ..library.folders import search_folders
from ..options import ModelOptions, RestoreOptions
from ..timeline.formats import Format, check_installed, format_of
from ..types import Progress, VFEError
from ..video.errors import writing
from .conform_lines import result_line, table_lines
from .enhance import check_fits, load_restorer, window_of
from .enhance_folder import of_the_result
from .errors import REPORTED, one_line
from .parser import WrongUsage, all_options_of, given_of
from .progress import shown_as
from .text import one_line_name, say

if TYPE_CHECKING:
    from ..restore.restorer import Restorer
    from ..timeline.results import Result, Stored
    from ..timeline.uses import ClipUse

WORK = ".vfe-conform"
"""The folder of the work, in that of the results."""
NOT_HELD_BY = {"ffv1": ("mov", "mp4"), "prores": ("mp4",)}
"""The containers that cannot hold what a codec writes."""
NOT_OF_THE_RESULT = ("overwrite", "compare", "report")


def run(args: argparse.Namespace) -> None:
    """Restore the ranges of a timeline; WrongUsage for values that make no sense, VFEError for what cannot be done."""
    options, model = all_options_of(args)
    kinds = _kinds(args)
    check_installed(*kinds)
    find_model(args.model, search_folders(args.models, args.comfyui))
    from ..timeline.files import read_timeline, uses_in, write_timeline
    from ..timeline.fit import check_writable, lost
    from ..timeline.relink import Relinker

    timeline = read_timeline(args.input, args.rate)
    check_writable(timeline, kinds[1], str(args.output))
    uses, rate = uses_in(timeline, args.input)
    stored = _stored(args, options, model, rate)
    results = _planned(args, uses, stored, kinds[0])
    for note in lost(timeline, kinds[1]):
        say(f"note: {note}")
    if args.dry_run:
        return
    results = _restored(args, options, model, stored, results)
    relinker = Relinker(args.output.absolute(), *kinds, note=_note(args, options))
    relinker.relink(timeline, results)
    write_timeline(timeline, args.output)
    clips = sum(len(result.clips) for result in results if not result.is_empty)
    say(f"{clips} clip{' now reads' if clips == 1 else 's now read'} restored media: {one_line_name(args.output)}")


def _kinds(args: argparse.Namespace) -> tuple[Format, Format]:
    """Decide the names, and return as what the timelines are read and written.

    Raises VFEError for names that will not do.
    """
    read_as = format_of(args.input)
    if not args.input.exists():
        raise VFEError(f"{args.input}: no such file; give a timeline")
    if args.output is None:
        args.output = args.input.with_name(f"{args.input.stem}.restored{args.input.suffix}")
    written_as = format_of(args.output)
    if args.output.is_dir():
        raise VFEError(f"{args.output}: is a folder; give the name of a file")
    if args.output.exists() and args.output.samefile(args.input):
        raise VFEError(f"{args.output}: is the timeline itself; choose another output name")
    if args.output.exists() and not args.overwrite:
        raise VFEError(f"{args.output}: exists already; use --overwrite or choose another name")
    for folder in (args.output.absolute().parent, *args.media_root):
        if not folder.is_dir():
            raise VFEError(f"{folder}: no such folder; create it first or choose another")
    if args.results is None:
        args.results = args.output.with_name(f"{args.output.stem}.media")
    if args.results.exists() and not args.results.is_dir():
        raise VFEError(f"{args.results}: is a file; results need a folder")
    return read_as, written_as


def _stored(args: argparse.Namespace, options: RestoreOptions, model: ModelOptions, rate: Fraction) -> Stored:
    from ..timeline.results import Stored

    chosen = {name: value for name, value in asdict(options).items() if name not in NOT_OF_THE_RESULT}
    container = args.container or ("mkv" if options.codec == "ffv1" else "mov")
    if container in NOT_HELD_BY.get(options.codec or "", ()):
        raise WrongUsage(f"a .{container} file cannot hold {options.codec}; take another --container")
    return Stored(
        folder=args.results,
        suffix=f".{container}",
        options={**chosen, **of_the_result(args, model)},
        handles=args.handles,
        timeline_rate=rate,
        overwrite=args.overwrite,
        resume=not args.no_resume,
    )


def _planned(args: argparse.Namespace, uses: list[ClipUse], stored: Stored, read_as: Format) -> list[Result]:
    """Say what is done, and return it. Raises VFEError where there is nothing to do, or media are missing."""
    from ..timeline.media import MediaFinder
    from ..timeline.sorting import ClipSorter

    finder = MediaFinder(args.input.absolute().parent, tuple(args.media_root))
    sorter = ClipSorter(finder, tuple(args.only_clips), from_zero=read_as is Format.KDENLIVE)
    clips = sorter.sort(uses)
    results = stored.plan(clips.placed)
    for line in table_lines(results, clips):
        say(line)
    if clips.missing and not args.skip_missing:
        many = len(clips.missing)
        raise VFEError(
            f"{many} media file{'' if many == 1 else 's'} of the timeline cannot be read, as listed above; "
            "--media-root FOLDER says where to look, --skip-missing leaves those clips as they are"
        )
    if not results:
        raise VFEError(f"{args.input}: no clip of it is to be restored")
    return results


def _restored(
    args: argparse.Namespace, options: RestoreOptions, model: ModelOptions, stored: Stored, results: list[Result]
) -> list[Result]:
    """Restore what is not done, and return all. Raises VFEError where a range could not be, after the others were."""
    left = [result for result in results if not result.is_done]
    if not left:
        return results
    with writing(args.results):
        (work := args.results / WORK).mkdir(parents=True, exist_ok=True)
    window = window_of(args)
    restorer = load_restorer(args, model, say)
    check_fits(args.model, restorer.face_part is not None, options, given_of(args))
    for note in filter(None, [window.note]):
        say(f"note: {note}")
    done = [result for result in results if result.is_done]
    for number, result in enumerate(left, start=1):
        place = f"[{number}/{len(left)}]"
        try:
            done.append(_restored_one(args, options, restorer, stored, result, place))
        except REPORTED as error:
            if (line := one_line(error)) is None:
                raise
            say(f"{place} {one_line_name(result.output)}: failed: {line}")
    if failed := len(results) - len(done):
        raise VFEError(
            f"{failed} of {len(left)} ranges could not be restored, and no timeline was written; the same line goes on"
        )
    _tidy_up(work)
    return done


def _restored_one(
    args: argparse.Namespace,
    options: RestoreOptions,
    restorer: Restorer,
    stored: Stored,
    result: Result,
    place: str,
) -> Result:
    """Restore one range of one source, unless another run is at it; of faces alone, unless there is none."""
    from .conform_range import faces_for, part_for
    from .long_clips import restore_clip

    hold = Hold(result.output)
    if (holder := hold.take()) is not None:
        raise VFEError(f"another run is at it ({holder})")
    notes: list[str] = []
    try:
        with _shown(args, "looking through", hold) as report:
            part = part_for(result, args.results / WORK, report)
        if options.region == "face":
            with _shown(args, "finding faces", hold) as report:
                faces = faces_for(part, restorer, options, report)
            if faces is None:
                say(f"{place} {one_line_name(result.output)}: no face to restore; the original stays")
                return stored.end_empty(result)
            options = replace(options, tracks=faces)
        stored.begin(result)
        own = argparse.Namespace(**{**vars(args), "input": part, "output": result.output})
        is_first = restorer.finds_faces(options) and options.tracks is None
        with _shown(args, "finding faces" if is_first else "", hold) as report:
            made = restore_clip(own, restorer, options, report, notes.append)
        stored.end(result)
    finally:
        hold.release()
    say(f"{place} {result_line(result, made.frames, made.seconds)}")
    for note in (*(note.removeprefix("note: ") for note in notes), *made.notes):
        say(f"  note: {note}")
    return result


@contextmanager
def _shown(args: argparse.Namespace, first: str, hold: Hold) -> Iterator[Progress]:
    """Yield what shows progress, and tells other runs that this one lives; `first` says what the first pass does."""
    shown = shown_as(args.progress, sys.stderr, first)

    def report(done: int, total: int | None) -> None:
        shown(done, total)
        with suppress(OSError):  # a drive that is gone for now: it is seen when the output is written
            hold.sign()

    try:
        yield report
    finally:
        shown.clear()


def _note(args: argparse.Namespace, options: RestoreOptions) -> str:
    """Return how was restored, in a few words."""
    preset = f", preset {args.preset}" if args.preset else ""
    return f"{Path(args.model).stem}, {options.region}, strength {options.strength:g}{preset}"


def _tidy_up(work: Path) -> None:
    """Delete what the work left in its folder; anything else stays."""
    from ..timeline.cutting import TABLE_SUFFIX
    from ..video.part import SUFFIX
    from .conform_range import FACES_SUFFIX

    with suppress(OSError):
        for path in work.iterdir():
            if path.name.endswith((TABLE_SUFFIX, SUFFIX, FACES_SUFFIX)):
                path.unlink()
        work.rmdir()
