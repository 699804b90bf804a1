"""Writing results for people to read."""

from __future__ import annotations

import sys
from typing import TextIO


def say(text: str, stream: TextIO | None = None) -> None:
    """Write a line to standard output, or to `stream` where that carries video.

    Characters that the terminal's encoding lacks are escaped, for a path may hold any.
    """
    stream = stream or sys.stdout
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()
