"""The options of `vfe enhance` for folders and globs of clips. Torch is not imported."""

from __future__ import annotations

import argparse

from .values import read_count


def add_folders(group: argparse._ArgumentGroup) -> None:
    """Add the options of restoring many files."""
    group.add_argument("--jobs", type=read_count, metavar="N", help="processes at work at once (default: 1)")
    group.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    group.add_argument("--watch", action="store_true", help="also restore what appears later, until Ctrl-C")
    group.add_argument("--pictures", action="store_true", help="each image is a picture by itself, and no frame")
