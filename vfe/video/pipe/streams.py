"""Standard input and output as the ends of a pipe. It imports no torch."""

from __future__ import annotations

import os
import sys
from io import FileIO
from pathlib import Path
from typing import BinaryIO, TextIO

from ...types import VFEError

PIPE = Path("-")
"""The name under which standard input is read and standard output written."""
INPUT, OUTPUT = Path("standard input"), Path("standard output")
"""What the two are called in messages."""


def check_pipes(src: Path, dst: Path) -> None:
    """Raise VFEError where one of the two is to be a pipe and cannot be one, which is known before any work."""
    if src == PIPE:
        _number(sys.stdin, INPUT.name, "pipe Y4M into it, or give the name of a file")
    if dst == PIPE:
        _number(sys.stdout, OUTPUT.name, "pipe it into a program that reads Y4M, or give the name of a file")


def standard_input() -> BinaryIO:
    """Return the bytes of standard input. Raises VFEError where it is closed or a terminal."""
    return open(_waiting(_number(sys.stdin, INPUT.name, "pipe Y4M into it")), "rb", closefd=False)


def standard_output() -> FileIO:
    """Return standard output without a buffer, of which nothing can be left when its reader is gone.

    Raises VFEError where it is closed or a terminal.
    """
    number = _waiting(_number(sys.stdout, OUTPUT.name, "pipe it into a program that reads Y4M"))
    return open(number, "wb", buffering=0, closefd=False)


def _waiting(number: int) -> int:
    """Make a stream wait for the other side, which a program that shares it may have turned off."""
    if sys.platform != "win32":
        os.set_blocking(number, True)
    return number


def _number(stream: TextIO | None, name: str, advice: str) -> int:
    """Return the file descriptor of a standard stream that is no terminal."""
    try:
        number = -1 if stream is None else stream.fileno()
    except (OSError, ValueError):  # closed, or replaced by something that is no file, as in a notebook
        number = -1
    if number < 0:
        raise VFEError(f"{name} is closed; {advice}")
    if os.isatty(number):
        raise VFEError(f"{name} is a terminal, which carries no video; {advice}")
    return number
