"""`vfe enhance`: load the model, restore the file, say what was done.

What is wrong with the command line or the name of the model is said before torch is imported, which takes seconds.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ..library.find import find_model
from ..library.folders import search_folders
from ..options import ModelOptions, RestoreOptions
from .parser import WrongUsage, model_options_of, options_of
from .progress import ProgressLine
from .text import say

if TYPE_CHECKING:
    from ..pipeline.windows import WindowConfig
    from ..restore.restorer import RestoreReport


def run(args: argparse.Namespace) -> None:
    """Restore the input; WrongUsage for values that make no sense, VFEError and OSError for what cannot be done."""
    try:
        options, model = options_of(args), model_options_of(args)
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    find_model(args.model, search_folders(args.models, args.comfyui))
    enhance(args, options, model)


def window_of(args: argparse.Namespace) -> WindowConfig | None:
    """The window of the command line, None where it says nothing; WrongUsage where frames and overlap do not fit.

    A window without an overlap gets one that fits.
    """
    from ..pipeline.windows import WindowConfig

    if args.window is None and args.overlap is None:
        return None
    frames = WindowConfig().frames if args.window is None else args.window
    try:
        return WindowConfig.of(frames) if args.overlap is None else WindowConfig(frames, args.overlap)
    except ValueError as error:
        raise WrongUsage(str(error)) from error


def enhance(args: argparse.Namespace, options: RestoreOptions, model: ModelOptions) -> None:
    """Restore the input with options that were checked."""
    from ..face.track.select import FaceSelection
    from ..restore.restorer import load

    window = window_of(args)
    FaceSelection.parse(options.faces)  # before the model, which takes seconds to load
    restorer = load(args.model, args.device, args.dtype, window, model, notify=lambda plan: say(f"plan: {plan}"))
    finds_faces = options.region != "frame" or restorer.face_part is not None
    if not finds_faces and (options.faces, options.min_face, options.blend) != ("all", 0, 1.0):
        raise WrongUsage(
            f"{args.model} restores whole frames without looking for faces, and --faces, --min-face and --blend choose "
            "among them; add --region face, or --region auto"
        )
    if restorer.face_part is None and args.fidelity is not None:
        raise WrongUsage(f"--fidelity {args.fidelity} is of a part for faces, which {args.model} runs without here")
    progress = ProgressLine(sys.stderr, first="finding faces" if finds_faces else "")
    try:
        report = restorer.restore_file(args.input, args.output, options, on_progress=progress)
    finally:
        progress.clear()
    for note in report.notes:
        say(f"note: {note}")
    say(summary(report))


def summary(report: RestoreReport) -> str:
    """Frames, seconds, frames per second and where the result is, in one line."""
    plural = "" if report.frames == 1 else "s"
    return f"{report.frames} frame{plural} in {report.seconds:.1f} s, {report.fps:.1f} frames/s: {report.output}"
