"""Display orientation: the eight ways in which cameras store an upright picture."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from av.buffer import Buffer
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame

if TYPE_CHECKING:
    from torch import Tensor


class Orientation(NamedTuple):
    """How a stored frame becomes upright: it is mirrored left-right if `mirror`, then turned clockwise by
    `quarter_turns`.
    """

    quarter_turns: int = 0
    mirror: bool = False

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height change places."""
        return self.quarter_turns % 2 == 1

    def upright_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (width, height) as displayed of a frame stored as (width, height)."""
        return (size[1], size[0]) if self.swaps_sides else size

    def turned(self, quarter_turns: int) -> Orientation:
        """Return this orientation with some more turns clockwise at the end."""
        return Orientation((self.quarter_turns + quarter_turns) % 4, self.mirror)

    def mirrored(self) -> Orientation:
        """Return this orientation with one more mirroring left-right at the end."""
        return Orientation(-self.quarter_turns % 4, not self.mirror)

    def upright(self, planes: Tensor) -> Tensor:
        """Turn planes (C, H, W) as stored into (C, H', W') as displayed."""
        if self == UPRIGHT:
            return planes
        turned = planes.flip(-1) if self.mirror else planes
        return turned.rot90(-self.quarter_turns, dims=(-2, -1)).contiguous()


UPRIGHT = Orientation()


# FFmpeg's PNG decoder hangs a dictionary with the name of the ICC profile on the frame. Every PyAV from 14.2 to 18.1
# frees it twice once `frame.side_data` was read, which ends the process; no other decoder of FFmpeg makes one.
WITH_PROFILE_NAMES = frozenset({"png", "apng"})


def orientation_of(frame: VideoFrame, codec: str) -> Orientation:
    """Return the orientation that the display matrix of a frame of `codec` gives; angles between quarter turns are
    ignored.

    Of PNG pictures only the angle is known, not whether the matrix mirrors: asking for it would be fatal.
    """
    if codec in WITH_PROFILE_NAMES:
        return orientation_by_angle(frame)
    try:
        side_data = cast("Mapping[SideDataType, Buffer]", frame.side_data)  # PyAV's stubs call it a TypedDict
        data = side_data.get(SideDataType.DISPLAYMATRIX)
    except ValueError:  # PyAV stumbles over kinds of side data newer than itself
        return orientation_by_angle(frame)
    if data is None:
        return UPRIGHT
    # Nine int32 row by row; the 2x2 part [a b; c d] maps a stored point (x, y) to (a x + c y, b x + d y), y downwards.
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data)[:36])
    size = max(abs(a), abs(b), abs(c), abs(d), 1)
    signs = tuple(round(value / size) for value in (a, b, c, d))
    return _BY_MATRIX.get(signs, UPRIGHT)


def orientation_by_angle(frame: VideoFrame) -> Orientation:
    """Return the orientation from the angle that PyAV reads out of the display matrix; whether it mirrors is
    not told.
    """
    return Orientation(round(-frame.rotation / 90) % 4)


def orientation_of_exif(code: int) -> Orientation:
    """Return the orientation of a value of the EXIF tag 0x0112; unknown values are upright."""
    return _BY_EXIF.get(code, UPRIGHT)


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
