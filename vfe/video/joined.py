"""Two versions of a clip in one: side by side, stacked, or one over the other with a divider that moves.

Pictures are (3, H, W) in [-1, 1].
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

import torch
from torch import Tensor

from .compare import DIVIDER
from .frame import Frame
from .layouts import Layout

WIPE_SECONDS = 6.0
"""How long the divider takes from the middle to the right, to the left and back."""
WIPE_REACH = 0.45
"""How far from the middle it goes, in widths of the picture."""

EARLY = Fraction(1, 4)
"""How early, in frames, one may be and counts as there: times are rounded, in units that differ between files."""


def joined_size(layout: Layout, size: tuple[int, int]) -> tuple[int, int]:
    """Return the (width, height) of two clips of `size` in one."""
    width, height = size
    if layout == "side by side":
        return 2 * width + DIVIDER, height
    if layout == "stacked":
        return width, 2 * height + DIVIDER
    return size


def joined(layout: Layout, before: Tensor, after: Tensor, seconds: float, white: float = 1.0) -> Tensor:
    """Return the picture of two pictures of a size, `seconds` after the clips begin; `white` is that of the divider."""
    _, height, width = after.shape
    if layout == "side by side":
        return torch.cat((before, after.new_full((3, height, DIVIDER), white), after), dim=2)
    if layout == "stacked":
        return torch.cat((before, after.new_full((3, DIVIDER, width), white), after), dim=1)
    return _wiped(before, after, wipe_at(seconds), white)


def wipe_at(seconds: float) -> float:
    """Return where the divider is, in widths of the picture from its left side.

    >>> [round(wipe_at(seconds), 2) for seconds in (0, 1.5, 3, 4.5)]
    [0.5, 0.95, 0.5, 0.05]
    """
    return 0.5 + WIPE_REACH * math.sin(2 * math.pi * seconds / WIPE_SECONDS)


def _wiped(before: Tensor, after: Tensor, split: float, white: float) -> Tensor:
    """Return `before` on the left of a line and `after` on its right."""
    width = after.shape[2]
    column = round(split * width)
    half = max(1, width // 480)
    picture = torch.cat((before[..., :column], after[..., column:]), dim=2)
    picture[..., max(0, column - half) : column + half] = white
    return picture


def in_step(befores: Iterable[Frame], afters: Iterable[Frame], rate: Fraction) -> Iterator[tuple[Frame, Frame]]:
    """Yield each frame of `afters` with the one of `befores` that is shown then, until either clip ends.

    `rate` is that of `befores`, in frames a second. Frames without times go with each other one by one.
    """
    rest = iter(befores)
    current, following = next(rest, None), next(rest, None)
    for number, after in enumerate(afters):
        if current is None:
            return
        at = _seconds(after)
        if at is None or _seconds(current) is None:
            if number:
                current, following = following, next(rest, None)
        else:
            at += EARLY / rate
            while following is not None and (_seconds(following) or 0) <= at:
                current, following = following, next(rest, None)
            if following is None and at >= (_seconds(current) or 0) + 1 / rate:
                return
        if current is None:
            return
        yield current, after


def _seconds(frame: Frame) -> Fraction | None:
    return None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base
