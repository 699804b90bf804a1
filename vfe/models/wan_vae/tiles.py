"""Rectangles of a frame, and the tiles into which a frame is cut."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Area(NamedTuple):
    """A rectangle of a frame, from `top` to before `bottom` and from `left` to before `right`."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """The number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """The number of columns."""
        return self.right - self.left

    def scaled(self, factor: int) -> Area:
        """Return the same rectangle on a grid that is `factor` times as fine."""
        return Area(*(factor * border for border in self))

    def divided(self, factor: int) -> Area:
        """Return the same rectangle on a grid that is `factor` times as coarse."""
        return Area(*(border // factor for border in self))

    def grown(self, before: int, after: int, frame: Area) -> Area:
        """Return the rectangle with a margin on all sides, as far as the frame goes."""
        return Area(
            max(self.top - before, frame.top),
            min(self.bottom + after, frame.bottom),
            max(self.left - before, frame.left),
            min(self.right + after, frame.right),
        )

    def of(self, x: Tensor, held: Area) -> Tensor:
        """Return the part of x that is this rectangle, where x (..., H, W) is the rectangle `held` around it."""
        rows = slice(self.top - held.top, self.bottom - held.top)
        columns = slice(self.left - held.left, self.right - held.left)
        return x[..., rows, columns]


def whole(x: Tensor) -> Area:
    """Return the rectangle that is all of x (..., H, W)."""
    return Area(0, x.shape[-2], 0, x.shape[-1])


def plan_tiles(height: int, width: int, side: int | None) -> list[Area]:
    """Cut a grid into tiles of almost equal sides, none longer than `side`; None leaves it whole."""
    rows, columns = _parts(height, side), _parts(width, side)
    return [Area(*row, *column) for row in rows for column in columns]


def _parts(length: int, side: int | None) -> list[tuple[int, int]]:
    count = 1 if side is None else -(-length // side)
    return [(i * length // count, (i + 1) * length // count) for i in range(count)]
