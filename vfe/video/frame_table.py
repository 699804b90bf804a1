"""Every frame of a source as a first pass over it found them: when each is shown, and a checksum of its picture."""

from __future__ import annotations

import zlib
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from torch import Tensor


@dataclass(frozen=True)
class FrameTable:
    """The frames of a source, in order. Raises ValueError where the columns do not fit together."""

    checksums: tuple[int, ...]
    """A checksum of each decoded picture: CRC-32, as `picture_checksum` and `pixels_checksum` give it."""
    pts: tuple[int, ...] | None = None
    """When each is shown, in units of `time_base`; None for images."""
    durations: tuple[int, ...] | None = None
    """How long each is shown, in units of `time_base`; None for images."""
    time_base: Fraction | None = None
    """The unit of times in seconds; None for images."""
    sound: int | None = None
    """The frames before the first error of a damaged file; None where it has none.

    Later ones may be decoded differently each time, for what is missing of a picture is what the memory held.
    """

    def __post_init__(self) -> None:
        timed = [column is not None for column in (self.pts, self.durations, self.time_base)]
        if any(timed) != all(timed):
            raise ValueError("pts, durations and time_base are needed together, or none of them")
        if not self.checksums:
            raise ValueError("a table of no frames, needed is one at least")
        if self.sound is not None and not 0 <= self.sound < len(self.checksums):
            raise ValueError(f"{self.sound} sound frames of {len(self.checksums)}, needed are fewer, or None for all")
        for column in (self.pts, self.durations):
            if column is not None and len(column) != len(self.checksums):
                raise ValueError(f"{len(self.checksums)} checksums with {len(column)} times, needed as many")

    def __len__(self) -> int:
        return len(self.checksums)

    def is_sound(self, number: int) -> bool:
        """Return whether a frame is the same whenever it is decoded."""
        return self.sound is None or number < self.sound

    def place(self, pts: int) -> int | None:
        """Return the number of the frame that is shown from `pts` on; None where there is none."""
        if self.pts is None:
            return None
        number = bisect_left(self.pts, pts)
        return number if number < len(self.pts) and self.pts[number] == pts else None


def picture_checksum(frame: VideoFrame) -> int:
    """Return a checksum of the code values of a decoded frame, its format and its size.

    The bytes that pad rows are left out, for nobody sets them.
    """
    crc = zlib.crc32(f"{frame.format.name} {frame.width}x{frame.height}".encode())
    for index, plane in enumerate(frame.planes):
        data, used = memoryview(plane), _row_bytes(frame, index)
        if used < plane.line_size:
            rows = np.frombuffer(data, np.uint8).reshape(-1, plane.line_size)
            data = np.ascontiguousarray(rows[: plane.height, :used]).data
        crc = zlib.crc32(data, crc)
    return crc


def pixels_checksum(pixels: Tensor, alpha: Tensor | None) -> int:
    """Return a checksum of pixels (3, H, W) and alpha (1, H, W) as they are, to the bit."""
    crc = 0
    for values in (pixels, alpha):
        if values is not None:
            crc = zlib.crc32(f"{tuple(values.shape)}".encode(), crc)
            crc = zlib.crc32(np.ascontiguousarray(values.numpy()).data, crc)
    return crc


def _row_bytes(frame: VideoFrame, index: int) -> int:
    """Return how many bytes of a row of a plane are code values."""
    plane, layout = frame.planes[index], frame.format
    if layout.has_palette and index == 1:
        return plane.line_size
    parts = [part for part in layout.components if part.plane == index]
    if len({part.plane for part in layout.components}) == 1:
        return min(plane.line_size, plane.width * layout.padded_bits_per_pixel // 8)
    widths = (1 if part.bits <= 8 else 2 if part.bits <= 16 else 4 for part in parts)
    return min(plane.line_size, plane.width * sum(widths))
