"""`vfe compare`: two videos or images side by side."""

from __future__ import annotations

import argparse
import sys

from ..video.compare import compare_files
from .progress import ProgressLine
from .text import say


def run(args: argparse.Namespace) -> None:
    """Write A and B side by side; VFEError and OSError for what cannot be done."""
    progress = ProgressLine(sys.stderr)
    try:
        frames, longer = compare_files(args.a, args.b, args.output, overwrite=args.overwrite, on_progress=progress)
    finally:
        progress.clear()
    if longer is not None:
        say(f"note: {longer} is longer and was cut at the end of the other")
    say(f"{frames} frame{'' if frames == 1 else 's'} side by side: {args.output}")
