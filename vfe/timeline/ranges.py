"""Stretches of one source: grown by handles, laid on the timeline's grid, and united where they overlap."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from ..types import Stretch

_LONGEST_GRID = 36  # frames by which a stretch may begin earlier, so that both clocks tick at its first frame


def united(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the least stretches that cover all of these, in order; those that touch become one.

    >>> united([Stretch(10, 20), Stretch(40, 50), Stretch(15, 30)])
    [Stretch(start=10, stop=30), Stretch(start=40, stop=50)]
    """
    result: list[Stretch] = []
    for stretch in sorted(stretches):
        if result and stretch.start <= result[-1].stop:
            result[-1] = Stretch(result[-1].start, max(result[-1].stop, stretch.stop))
        else:
            result.append(stretch)
    return result


def with_handles(used: Stretch, handles: int, frames: int, grid: Sequence[Fraction]) -> Stretch:
    """Return a stretch with so many frames more on both sides, as far as the source of `frames` frames has them.

    It begins where frames of the source and of the timeline begin together: a file that began elsewhere could not be
    addressed by whole frames of the timeline. `grid` has the frames of the source for one of the timeline, for each
    speed at which the source is used. Where the rates have no such place near, it is the nearest to one.
    """
    start = min(used.start, max(0, used.start - handles))
    stop = max(used.stop, min(frames, used.stop + handles))
    return Stretch(_on_grid(start, grid), stop)


def _on_grid(start: int, grid: Sequence[Fraction]) -> int:
    step = math.lcm(*(each.numerator for each in grid))
    if step <= _LONGEST_GRID:
        return start - start % step

    def is_off(frame: int) -> Fraction:
        return max(abs(frame / each - round(frame / each)) for each in grid)

    return min(range(start, max(-1, start - _LONGEST_GRID), -1), key=is_off)


def covers(stretch: Stretch, used: Stretch) -> bool:
    """Return whether all frames of `used` are in a stretch."""
    return stretch.start <= used.start and used.stop <= stretch.stop
