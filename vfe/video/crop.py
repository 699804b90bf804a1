"""What a container says is to be cut off a stored picture before it is turned and shown."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Crop(NamedTuple):
    """How many pixels are cut off each side of a stored picture."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def size(self, stored: tuple[int, int]) -> tuple[int, int]:
        """Return the (width, height) that is left of a stored (width, height)."""
        return stored[0] - self.left - self.right, stored[1] - self.top - self.bottom

    def fits(self, stored: tuple[int, int]) -> bool:
        """Return whether something is left of a stored (width, height), and no side is to be added to."""
        return min(self) >= 0 and min(self.size(stored)) >= 1

    def cut(self, planes: Tensor) -> Tensor:
        """Return the part (C, H', W') that is shown of planes (C, H, W) as stored."""
        if self == NO_CROP:
            return planes
        height, width = planes.shape[-2:]
        return planes[:, self.top : height - self.bottom, self.left : width - self.right].contiguous()


NO_CROP = Crop()


def clean_aperture(data: bytes, stored: tuple[int, int]) -> Crop:
    """Read a `clap` box: width, height and offset of the centre as fractions (ISO/IEC 14496-12, 12.1.4).

    Edges between pixels go to the nearest one. An aperture that is no part of the picture is ignored, as players do.
    """
    numbers = [int.from_bytes(data[at : at + 4], "big", signed=at in (16, 24)) for at in range(0, 32, 4)]
    if len(data) < 32 or not all(numbers[1::2]):
        return NO_CROP
    width, height, right, down = (Fraction(n, d) for n, d in zip(numbers[::2], numbers[1::2], strict=True))
    edges = []
    for side, part, offset in zip(stored, (width, height), (right, down), strict=True):
        start = (side - part) / 2 + offset
        edges.append((round(start), side - round(start + part)))
    crop = Crop(edges[0][0], edges[1][0], edges[0][1], edges[1][1])
    return crop if crop.fits(stored) else NO_CROP
