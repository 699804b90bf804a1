"""`vfe enhance`: load the model, restore the file, say what was done."""

from __future__ import annotations

import argparse
import sys

from ..face.track.select import FaceSelection
from ..options import ModelOptions, RestoreOptions
from ..pipeline.one_step import WindowConfig
from ..restore.restorer import RestoreReport, load
from ..types import VFEError
from .progress import ProgressLine
from .text import say


def window_of(args: argparse.Namespace) -> WindowConfig | None:
    """The window of the command line, None where it says nothing; ValueError where frames and overlap do not fit.

    A window without an overlap gets one that fits.
    """
    if args.window is None and args.overlap is None:
        return None
    frames = WindowConfig().frames if args.window is None else args.window
    return WindowConfig.of(frames) if args.overlap is None else WindowConfig(frames, args.overlap)


def enhance(
    args: argparse.Namespace, options: RestoreOptions, model: ModelOptions, window: WindowConfig | None
) -> None:
    """Restore the input; VFEError and OSError for what cannot be done."""
    FaceSelection.parse(options.faces)  # before the model, which takes seconds to load
    restorer = load(args.model, args.device, args.dtype, window, model, notify=lambda plan: say(f"plan: {plan}"))
    finds_faces = options.region != "frame" or restorer.face_part is not None
    if not finds_faces and (options.faces, options.min_face, options.blend) != ("all", 0, 1.0):
        raise VFEError(
            f"{args.model} restores whole frames without looking for faces, and --faces, --min-face and --blend choose "
            "among them; add --region face, or --region auto"
        )
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
