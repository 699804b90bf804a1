"""Chunks: files that hold consecutive frames of an output, ready for its encoder, until all of them are there.

A chunk of a video holds the very pictures that the encoder of the output is to get, without loss; one of a folder of
images holds the finished images.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, TypeVar

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..options import ChunkCodec
from ..types import VFEError
from .errors import reading, writing
from .pixels import FrameFormat
from .small import ffv1_options

# Container, encoder, and its options beside those of the size. FFV1 with g=1 has key frames alone; Rice codes are twice
# as fast as its arithmetic ones, in files of the same size.
_CODECS: dict[ChunkCodec, tuple[str, str, dict[str, str]]] = {
    "ffv1": ("matroska", "ffv1", {"g": "1", "coder": "rice"}),
    "raw": ("nut", "rawvideo", {}),
}
_ANY_RATE = Fraction(25)  # the times of frames are not in a chunk
_STORED_AT = (1980, 1, 1, 0, 0, 0)  # the earliest time of a ZIP, so that equal images give equal chunks

Part = TypeVar("Part")


class ChunkFormat(Protocol[Part]):
    """How parts of an output, which are what its sink makes of each frame, are kept in a chunk."""

    def write(self, path: Path, parts: Iterable[Part]) -> int:
        """Write a chunk and return how many parts it holds. Raises VFEError where the disk is full."""
        ...

    def read(self, path: Path) -> Iterator[Part]:
        """Yield the parts of a chunk in order. Raises VFEError for a file that is none."""
        ...


@dataclass(frozen=True)
class PictureChunks:
    """Chunks of a video: pictures of one format and size (width, height)."""

    target: FrameFormat
    size: tuple[int, int]
    codec: ChunkCodec

    def write(self, path: Path, parts: Iterable[VideoFrame]) -> int:
        """Write pictures without loss. Raises VFEError where the disk is full."""
        container, encoder, options = _CODECS[self.codec]
        if self.codec == "ffv1":
            options = options | ffv1_options(self.size)
        count = 0
        # Without random identifiers: two processes at one segment write the same bytes, so neither spoils the other's.
        exact = {"fflags": "+bitexact"}
        with writing(path), av.open(f"file:{path}", "w", format=container, options=exact) as output:
            stream = output.add_stream(encoder, rate=_ANY_RATE, options=options)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height, stream.pix_fmt = *self.size, self.target.pix_fmt
            for picture in parts:
                picture.pts, picture.time_base = count, 1 / _ANY_RATE
                output.mux(stream.encode(picture))
                count += 1
            output.mux(stream.encode(None))
        return count

    def read(self, path: Path) -> Iterator[VideoFrame]:
        """Yield the pictures as they were written. Raises VFEError for a file that holds others."""
        with reading(path), av.open(f"file:{path}") as chunk:
            if not chunk.streams.video:
                raise VFEError(f"{path}: holds no pictures; needed is a chunk of this job")
            for decoded in chunk.decode(video=0):
                got = decoded.width, decoded.height, decoded.format.name
                if got != (*self.size, self.target.pix_fmt):
                    raise VFEError(f"{path}: holds {got}, needed are {(*self.size, self.target.pix_fmt)}")
                yield self._fresh(decoded)

    def _fresh(self, decoded: VideoFrame) -> VideoFrame:
        """Return a picture as `FrameWriter` made it: encoders would obey what a decoder adds, key frames for one."""
        picture = VideoFrame(*self.size, self.target.pix_fmt)
        for plane, stored in zip(picture.planes, decoded.planes, strict=True):
            new, old = (np.frombuffer(memoryview(p), np.uint8).reshape(-1, p.line_size) for p in (plane, stored))
            width = min(plane.line_size, stored.line_size)
            np.copyto(new[: plane.height, :width], old[: plane.height, :width])
        picture.color_range, picture.colorspace = self.target.color_range, self.target.matrix
        return picture


@dataclass(frozen=True)
class ImageChunks:
    """Chunks of a folder of images: the bytes of image files, in a ZIP without compression."""

    def write(self, path: Path, parts: Iterable[bytes]) -> int:
        """Write images. Raises VFEError where the disk is full."""
        count = 0
        with writing(path), zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as chunk:
            for image in parts:
                chunk.writestr(zipfile.ZipInfo(f"{count:08d}", _STORED_AT), image)
                count += 1
        return count

    def read(self, path: Path) -> Iterator[bytes]:
        """Yield the images in order. Raises VFEError for a file that is no chunk of them."""
        try:
            with reading(path), zipfile.ZipFile(path) as chunk:
                for name in sorted(chunk.namelist()):
                    yield chunk.read(name)
        except zipfile.BadZipFile as error:
            raise VFEError(f"{path}: {error}; needed is a chunk of this job") from error
