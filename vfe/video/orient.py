"""Display orientation: the eight ways a camera stores an upright picture."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from av.buffer import Buffer
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame

if TYPE_CHECKING:
    from torch import Tensor


class Orientation(NamedTuple):
    """To show a stored frame upright: mirror it left-right if `mirror`, then turn it clockwise by `quarter_turns`."""

    quarter_turns: int = 0
    mirror: bool = False

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height change places."""
        return self.quarter_turns % 2 == 1

    def upright_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) as displayed of a frame stored as (width, height)."""
        return (size[1], size[0]) if self.swaps_sides else size

    def upright(self, planes: Tensor) -> Tensor:
        """Turn (C, H, W) as stored into (C, H', W') as displayed."""
        if self == UPRIGHT:
            return planes
        turned = planes.flip(-1) if self.mirror else planes
        return turned.rot90(-self.quarter_turns, dims=(-2, -1)).contiguous()


UPRIGHT = Orientation()


def orientation_of(frame: VideoFrame) -> Orientation:
    """Orientation from the display matrix of a frame; angles between the quarter turns are left alone."""
    try:
        side_data = cast("Mapping[SideDataType, Buffer]", frame.side_data)  # PyAV's stubs call it a TypedDict
        data = side_data.get(SideDataType.DISPLAYMATRIX)
    except ValueError:  # PyAV stumbles over kinds of side data newer than itself; this angle it gets without them
        return Orientation(round(-frame.rotation / 90) % 4)
    if data is None:
        return UPRIGHT
    # Nine int32 row by row; the 2x2 part [a b; c d] maps a stored point (x, y) to (a x + c y, b x + d y), y downwards.
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data)[:36])
    size = max(abs(a), abs(b), abs(c), abs(d), 1)
    signs = tuple(round(value / size) for value in (a, b, c, d))
    return _BY_MATRIX.get(signs, UPRIGHT)


def orientation_of_photo(data: bytes) -> Orientation | None:
    """Orientation from the EXIF data of a JPEG, WebP or TIFF file given by its first bytes; None if it has none."""
    start = 0 if data[:4] in {b"II*\0", b"MM\0*"} else data.find(b"Exif\0\0") + 6
    if start == 5:  # not found
        return None
    order: Literal["little", "big"] = "little" if data[start : start + 2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[start + at : start + at + size], order)

    directory = number(4, 4)
    for entry in range(min(number(directory, 2), 100)):
        at = directory + 2 + 12 * entry
        if number(at, 2) == _EXIF_ORIENTATION:
            return _BY_EXIF.get(number(at + 8, 2), UPRIGHT)
    return None


_EXIF_ORIENTATION = 0x0112
_BY_EXIF = {
    2: Orientation(0, True),
    3: Orientation(2, False),
    4: Orientation(2, True),
    5: Orientation(3, True),
    6: Orientation(1, False),
    7: Orientation(1, True),
    8: Orientation(3, False),
}
_BY_MATRIX = {
    (1, 0, 0, 1): Orientation(0, False),
    (0, 1, -1, 0): Orientation(1, False),
    (-1, 0, 0, -1): Orientation(2, False),
    (0, -1, 1, 0): Orientation(3, False),
    (-1, 0, 0, 1): Orientation(0, True),
    (0, -1, -1, 0): Orientation(1, True),
    (1, 0, 0, -1): Orientation(2, True),
    (0, 1, 1, 0): Orientation(3, True),
}
