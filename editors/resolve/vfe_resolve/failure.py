"""What goes wrong for reasons outside of the script."""

from __future__ import annotations


class Failure(Exception):
    """What the user has to know, in one sentence."""
