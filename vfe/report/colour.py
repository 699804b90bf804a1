"""How far a restoration moved the colours of whole frames."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

LEVELS = 127.5
"""Levels of 255 in one unit of pixels in [-1, 1]."""


class ColourShift(NamedTuple):
    """How much brighter red, green and blue became in the mean, in levels of 255."""

    red: float
    green: float
    blue: float


def colour_shift(before: Tensor, after: Tensor) -> ColourShift:
    """Return the mean of each channel of `after` less that of `before`, both (3, H, W) in [-1, 1]."""
    red, green, blue = ((after.mean((1, 2)) - before.mean((1, 2))) * LEVELS).tolist()
    return ColourShift(red, green, blue)
