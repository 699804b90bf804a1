"""Measures become points by curves that never stop to fall or to rise, so that worse is always told from bad."""

from __future__ import annotations


def falling(value: float, half: float, steep: float = 2.0) -> float:
    """Return 1 for a value of 0, one half at `half` (above 0), and ever less beyond: 1 / (1 + (value / half)^steep)."""
    return 1 / (1 + (max(value, 0.0) / half) ** steep)


def rising(value: float, half: float, steep: float = 2.0) -> float:
    """Return 0 for a value of 0, one half at `half`, and ever more beyond, up to 1."""
    return 1 - falling(value, half, steep)
