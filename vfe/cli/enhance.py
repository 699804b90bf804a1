"""`vfe enhance`: load the model, restore the file, say what was done.

What is wrong with the command line or the name of the model is said before torch is imported, which takes seconds.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..batch.clips import find_clips
from ..batch.given import GivenOptions
from ..library.find import find_model
from ..library.folders import search_folders
from ..options import ModelOptions, RestoreOptions
from ..types import Notify, Progress
from ..video.output_name import output_for
from ..video.pipe.streams import OUTPUT, PIPE, check_pipes
from .enhance_folder import enhance_folder
from .on_cluster import enhance_on_cluster
from .parser import WrongUsage, all_options_of, check_report_name, given_of
from .progress import ProgressLine, ProgressPercent, ProgressRecords, shown_as
from .span import span_of
from .text import say

if TYPE_CHECKING:
    from ..pipeline.chosen_window import ChosenWindow
    from ..restore.restorer import Restorer, RestoreReport


OF_ONE_FILE = "--from and --to are of one video file, restored on this machine; leave them out"
CHOOSING_FACES = frozenset({"faces", "min_face", "blend"})
"""The options that choose among faces that were found."""


def run(args: argparse.Namespace) -> None:
    """Restore the input; WrongUsage for values that make no sense, VFEError and OSError for what cannot be done."""
    options, model = all_options_of(args)
    args.output = args.output or (PIPE if args.input == PIPE else output_for(args.input))
    is_span = span_of(args) is not None
    if is_span and (args.input == PIPE or args.ray is not None):
        raise WrongUsage(OF_ONE_FILE)
    check_pipes(args.input, args.output)
    find_model(args.model, search_folders(args.models, args.comfyui))
    found = (
        None if args.input == PIPE else find_clips(args.input, args.output, watch=args.watch, pictures=args.pictures)
    )
    if found is not None and is_span:
        raise WrongUsage(OF_ONE_FILE)
    if found is not None:
        enhance_folder(args, model, found)
        return
    check_report_name(args.report)
    if args.jobs or args.dry_run or args.watch or args.pictures:
        raise WrongUsage(
            "--jobs, --dry-run and --watch are of folders and globs of videos, --pictures of those of images; "
            f"{args.input} is one clip"
        )
    if args.ray is not None:
        enhance_on_cluster(args, options, model)
        return
    enhance(args, options, model)


def window_of(args: argparse.Namespace) -> ChosenWindow:
    """Return the window of the command line, rounded to one that models take.

    Raises WrongUsage where window and overlap do not fit.
    """
    from ..pipeline.chosen_window import choose_window

    try:
        return choose_window(args.window, args.overlap)
    except ValueError as error:
        raise WrongUsage(str(error)) from error


def enhance(args: argparse.Namespace, options: RestoreOptions, model: ModelOptions) -> None:
    """Restore the input with options that were checked."""
    from ..face.track.select import FaceSelection

    tell = partial(say, stream=sys.stderr if args.output == PIPE else sys.stdout)
    FaceSelection.parse(options.faces)  # before the model, which takes seconds to load
    window = window_of(args)
    restorer = load_restorer(args, model, tell)
    check_fits(args.model, restorer.face_part is not None, options, given_of(args))
    if args.input == PIPE and restorer.finds_faces(options):
        tell(
            "note: faces are looked for in all of standard input before the first frame is restored; a temporary file"
            " keeps it meanwhile. --region frame --face-model none restores frames as they come"
        )
    progress = shown_progress(args, finds_faces=restorer.finds_faces(options))
    try:
        report = restore(args, restorer, options, progress, tell)
    finally:
        progress.clear()
    for note in filter(None, (window.note, *report.notes)):
        tell(f"note: {note}")
    tell(summary(report))


def shown_progress(args: argparse.Namespace, *, finds_faces: bool) -> ProgressLine | ProgressRecords | ProgressPercent:
    """Return what writes the progress of the command line; `finds_faces` says whether faces are looked for first."""
    return shown_as(args.progress, sys.stderr, "finding faces" if finds_faces else "")


def load_restorer(args: argparse.Namespace, model: ModelOptions, tell: Notify) -> Restorer:
    """Load the model of the command line; `tell` hears how a large one fits the memory."""
    from ..restore.restorer import load

    window = window_of(args).config
    return load(args.model, args.device, args.dtype, window, model, notify=lambda plan: tell(f"plan: {plan}"))


def check_fits(name: str, has_face_part: bool, options: RestoreOptions, given: GivenOptions) -> None:
    """Raise WrongUsage for an option that was given and is of no use to the model called `name`.

    `has_face_part` says whether a part for faces comes with it. Options of a preset are not minded: it is for every
    model.
    """
    finds_faces = options.region != "frame" or (has_face_part and options.fidelity < 1)
    changed = {option for option, value in given.named.items() if value != getattr(RestoreOptions, option, value)}
    if not finds_faces and changed & CHOOSING_FACES:
        raise WrongUsage(
            f"{name} restores whole frames without looking for faces, and --faces, --min-face and --blend choose "
            "among them; add --region face, or --region auto"
        )
    if not has_face_part and "fidelity" in changed:
        raise WrongUsage(f"--fidelity {options.fidelity} is of a part for faces, which {name} runs without here")


def restore(
    args: argparse.Namespace, restorer: Restorer, options: RestoreOptions, progress: Progress, tell: Notify
) -> RestoreReport:
    """Restore `args.input` into `args.output`: each file of a folder passes here too, with its own names.

    `tell` hears what a person should know meanwhile.
    """
    from .long_clips import restore_clip

    return restore_clip(args, restorer, options, progress, tell)


def summary(report: RestoreReport) -> str:
    """Frames, seconds, frames per second and where the result is, in one line."""
    return summary_line(report.frames, report.seconds, report.output)


def summary_line(frames: int, seconds: float, output: Path) -> str:
    """Say how many frames were restored in how many seconds, and where they are."""
    rate = frames / seconds if seconds > 0 else 0.0
    plural = "" if frames == 1 else "s"
    return f"{frames} frame{plural} in {seconds:.1f} s, {rate:.1f} frames/s: {OUTPUT if output == PIPE else output}"
