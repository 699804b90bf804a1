"""The options of `vfe enhance` for folders and globs of clips. Torch is not imported."""

from __future__ import annotations

import argparse
import re


def add_folders(group: argparse._ArgumentGroup) -> None:
    """Add the options of restoring many files."""
    group.add_argument("--jobs", type=read_count, metavar="N", help="processes at work at once (default: 1)")
    group.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    group.add_argument("--watch", action="store_true", help="also restore what appears later, until Ctrl-C")


def read_count(text: str) -> int:
    """Read a number of 1 or more."""
    if not re.fullmatch(r"0*[1-9]\d{0,3}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes, needed is 1 or more")
    return int(text)
