"""Options that several commands have. Torch is not imported."""

from __future__ import annotations

import argparse
from pathlib import Path

from .values import read_path


def add_output(parser: argparse.ArgumentParser, what: str, *, required: bool = True) -> None:
    """Add `--output`, for which `what` is the help, and `--overwrite`."""
    parser.add_argument("-o", "--output", type=read_path, required=required, metavar="OUTPUT", help=what)
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")


def add_model_folders(group: argparse._ArgumentGroup | argparse.ArgumentParser, inherit: bool = False) -> None:
    """Add the options that say where models are; `inherit` leaves them as they were given to the command above."""
    folders: list[Path] | str = argparse.SUPPRESS if inherit else []
    root = argparse.SUPPRESS if inherit else None
    group.add_argument(
        "--models", type=read_path, action="append", default=folders, metavar="DIR", help="look for models here too"
    )
    group.add_argument(
        "--comfyui", type=read_path, default=root, metavar="DIR", help="a ComfyUI installation: use its models too"
    )
