"""The arguments and options of `vfe conform`, beside those that it shares with `vfe enhance`. Torch is not imported."""

from __future__ import annotations

import argparse
import math
import re

from .common_options import add_output
from .job_options import add_segments
from .values import read_path

HANDLES = 12
"""The frames that are restored before and after those that are used, unless told otherwise: our own choice, half a
second of film, so that a cut can be moved a little without restoring anything."""
CONTAINERS = ("mov", "mp4", "mkv")


def add_conform(parser: argparse.ArgumentParser) -> None:
    """Add what says which timeline is read, and what of it is restored where."""
    parser.add_argument("input", type=read_path, metavar="TIMELINE", help=".otio, .xml (FCP7 XML), .edl or .kdenlive")
    add_output(parser, "the new timeline, of any of these kinds (default: CUT.restored.otio beside it)", required=False)
    parser.set_defaults(job=None, ray=None, keep_work=False, compare=None, report=None, tracks=None)
    parser.set_defaults(start=None, end=None)
    cut = parser.add_argument_group("what of the timeline is restored")
    only = "only clips of this name, or of media of this name, such as 'A0*'; may be given several times"
    cut.add_argument("--only-clips", action="append", default=[], metavar="PATTERN", help=only)
    handles = f"frames to restore before and after those that are used (default: {HANDLES})"
    cut.add_argument("--handles", type=_frames, default=HANDLES, metavar="N", help=handles)
    cut.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    rate = "frames/s of an EDL, which does not say them (default: 24)"
    cut.add_argument("--rate", type=_rate, metavar="R", help=rate)
    media = parser.add_argument_group("media")
    root = "where to look, in folders below too, for media that are not where the timeline says; several times"
    media.add_argument("--media-root", type=read_path, action="append", default=[], metavar="DIR", help=root)
    skip = "restore the others where media are missing"
    media.add_argument("--skip-missing", action="store_true", help=skip)
    results = "the folder of the results (default: beside the new timeline, named after it)"
    media.add_argument("--results", type=read_path, metavar="DIR", help=results)
    container = "mov, mp4 or mkv (default: mov, and mkv for ffv1)"
    media.add_argument("--container", choices=CONTAINERS, help=container)
    work = parser.add_argument_group("long ranges, which are restored in segments")
    work.add_argument("--no-resume", action="store_true", help="restore again what was restored before")
    work.add_argument("--allow-gaps", action="store_true", help="pass the source through where a segment failed")
    add_segments(work)


def _frames(text: str) -> int:
    """Read a number of frames, from 0 on."""
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of frames, needed is 0 or more")
    return int(text)


def _rate(text: str) -> float:
    """Read frames per second, such as 25, 29.97 or 30000/1001."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,9})?)(?:/(\d{1,6}))?", text, re.ASCII)
    rate = float(found[1]) / float(found[2] or 1) if found and float(found[2] or 1) else math.nan
    if not 1 <= rate <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no frame rate, needed is one such as 25 or 29.97")
    return rate
