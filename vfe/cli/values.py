"""Values of the command line that several commands read."""

from __future__ import annotations

import argparse
from pathlib import Path


def read_path(text: str) -> Path:
    """Read the name of a file or folder, which may not be empty."""
    if not text:  # Path("") is the current folder, which nobody means who passes an unset variable
        raise argparse.ArgumentTypeError("the name is empty")
    return Path(text)
