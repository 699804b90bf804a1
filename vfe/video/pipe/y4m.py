"""A stream of Y4M cut into its parts: a header of one line, then frames of one size, each after a line of its own.

The format is that of mjpegtools (yuv4mpeg(5)), with the depths and tags that FFmpeg added.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from av.video.format import VideoFormat

from ...types import VFEError
from ..info import FirstField
from .streams import INPUT

Y4M = "yuv4mpegpipe"
"""FFmpeg's name of the format."""
_MAGIC, _FRAME = b"YUV4MPEG2", b"FRAME"
LONGEST_LINE = 1024
"""The most bytes of a line that are read; FFmpeg takes less."""
_NEEDED = "needed is Y4M, as `ffmpeg -i FILE -f yuv4mpegpipe -` writes it"


def read_header(file: BinaryIO) -> bytes:
    """Return the first line of a stream. Raises VFEError where there is none, and OSError as reading does."""
    line = file.readline(LONGEST_LINE)
    if not line:
        raise VFEError(f"{INPUT}: is empty; {_NEEDED}")
    if not line.startswith(_MAGIC):
        raise VFEError(f"{INPUT}: is no Y4M; {_NEEDED}")
    if not line.endswith(b"\n"):
        raise broken_header("its first line has no end")
    return line


def broken_header(cause: str) -> VFEError:
    """Return the error for a header that says too little or nonsense."""
    return VFEError(f"{INPUT}: broken Y4M header ({cause}); {_NEEDED}")


def frame_bytes(pix_fmt: str, width: int, height: int) -> int:
    """Return how many bytes the planes of a frame take, one after the other."""
    planes = VideoFormat(pix_fmt, width, height).components
    return sum(plane.width * plane.height * ((plane.bits + 7) // 8) for plane in planes)


def cut_frame_bytes(pix_fmt: str, width: int, height: int) -> int | None:
    """Return how many bytes of such a frame the ffmpeg program writes where it loses some; None where it writes all.

    It takes half of the bytes of a row of luma for a row of chroma (FFmpeg 5.1), so that of odd widths and more than 8
    bits half a sample is missing at the end of each. FFmpeg itself reads no such stream.
    """
    planes = VideoFormat(pix_fmt, width, height).components
    lost = sum(plane.height for plane in planes if plane.bits > 8 and plane.width * 2 > width > plane.width)
    return frame_bytes(pix_fmt, width, height) - lost if lost else None


def chroma_location(header: bytes) -> str | None:
    """Return where chroma samples lie in 4:2:0 of 8 bits, as encoders of FFmpeg name it; None where nothing is said."""
    tags = {b"C420mpeg2": "left", b"C420paldv": "topleft", b"C420jpeg": "center"}
    return next((tags[word] for word in header.split() if word in tags), None)


def first_field(header: bytes) -> FirstField | None:
    """Return which field of interlaced frames comes first; None for progressive ones, and where nothing is said."""
    tags: dict[bytes, FirstField] = {b"It": "top", b"Ib": "bottom"}
    return next((tags[word] for word in header.split() if word in tags), None)


class Frames:
    """The frames of a stream, after its header, as bytes. They end where the stream does, or where it is broken.

    Iterating raises VFEError where the ffmpeg program has cut them.
    """

    def __init__(self, file: BinaryIO, size: int, cut: int | None = None) -> None:
        """`size` is that of a frame in bytes, and `cut` that of one which the ffmpeg program has cut."""
        self._file, self._size, self._cut = file, size, cut
        self.fault = ""
        """What is wrong with the stream where the frames ended; empty where it is whole."""

    def __iter__(self) -> Iterator[bytes]:
        while line := self._file.readline(LONGEST_LINE):
            if not (line.startswith(_FRAME) and line.endswith(b"\n")):
                self.fault = "something else than a frame follows" if len(line) > len(_FRAME) else "it is cut short"
                return
            data = self._file.read(self._size)
            if self._cut is not None and data[self._cut : self._cut + len(_FRAME)] == _FRAME[: len(data) - self._cut]:
                raise VFEError(
                    f"{INPUT}: ffmpeg left bytes of the colours out, as it does for odd widths and more than 8 bits; "
                    "give it -pix_fmt yuv444p16le before -f yuv4mpegpipe"
                )
            if len(data) < self._size:
                self.fault = "its last frame is cut short"
                return
            yield data
