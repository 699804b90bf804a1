"""Writing results for people to read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO


def say(text: str, stream: TextIO | None = None) -> None:
    """Write a line to standard output, or to `stream` where that carries video."""
    stream = stream or sys.stdout
    stream.write(printable(text, stream) + "\n")
    stream.flush()


def printable(text: str, stream: TextIO) -> str:
    """Return a text with what the stream's encoding lacks escaped, for a path may hold any character."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def one_line_name(path: Path) -> str:
    """Return the name of a file with what is no visible character escaped, as a line break or a bad byte is."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(path))
