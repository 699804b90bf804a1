"""Writing results to standard output."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Write a line; characters that the terminal's encoding lacks are escaped, for a path may hold any."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()
