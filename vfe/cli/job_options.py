"""The arguments and options of the commands that work on jobs. Torch is not imported."""

from __future__ import annotations

import argparse
import re

from ..options import CHUNK_CODECS, SEGMENT_FRAMES
from .values import read_path

ALL = "all"
"""What stands for all segments that are left."""


def add_segments(group: argparse._ArgumentGroup) -> None:
    """Add the options that say how a job is divided."""
    group.add_argument(
        "--segment-frames",
        type=_count,
        default=SEGMENT_FRAMES,
        metavar="N",
        help=f"frames of a segment, unless a cut is near (default: {SEGMENT_FRAMES})",
    )
    group.add_argument(
        "--job-codec",
        choices=CHUNK_CODECS,
        default=CHUNK_CODECS[0],
        help=f"how segments wait on the disk: smaller or faster (default: {CHUNK_CODECS[0]})",
    )
    group.add_argument("--no-disk-check", action="store_true", help="begin on a disk that looks too small, too")


def add_long_clips(group: argparse._ArgumentGroup) -> None:
    """Add the options of `vfe enhance` for clips that are restored through a job."""
    group.add_argument(
        "--job", type=read_path, metavar="DIR", help="restore through a job in this folder, however short"
    )
    group.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="restore on a Ray cluster: local (default), auto, or HOST:PORT of its head; folders of clips too",
    )
    group.add_argument("--no-resume", action="store_true", help="start anew where an earlier run was killed")
    group.add_argument("--keep-work", action="store_true", help="keep the folder of the job when all is done")
    group.add_argument("--allow-gaps", action="store_true", help="pass the source through where a segment failed")
    add_segments(group)


def add_segment(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vfe segment`."""
    _add_job(parser)
    parser.add_argument(
        "numbers", type=_number_or_all, nargs="+", metavar="N", help=f"from 0 on, or {ALL} that are left"
    )


def add_assemble(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `vfe assemble`."""
    _add_job(parser)
    parser.add_argument(
        "-o", "--output", type=read_path, metavar="OUTPUT", help="default: where the job was planned to write"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--allow-gaps", action="store_true", help="pass the source through where a segment is missing")
    parser.add_argument("--keep-work", action="store_true", help="keep the folder of the job")
    add_report(parser)


def add_report(group: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    """Add the option of a report."""
    report = "also write what was done, in numbers and pictures: .html or .json (of many files, a folder)"
    group.add_argument("--report", type=read_path, metavar="FILE", help=report)


def add_job(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `vfe job`."""
    _add_job(parser)
    parser.add_argument("--count", action="store_true", help="say only of how many segments it is, for scripts")


def _add_job(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", type=read_path, metavar="JOB", help="the folder that `vfe plan` wrote")


def _number_or_all(text: str) -> int | str:
    """Read the number of a segment, or the word for all of them."""
    if text == ALL:
        return text
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no segment, needed is a number from 0 on, or {ALL}")
    return int(text)


def _count(text: str) -> int:
    """Read a number of frames."""
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of frames, needed is 1 or more")
    return int(text)
