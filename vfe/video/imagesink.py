"""Frames are written into PNG files, or one frame into one image."""

from __future__ import annotations

import shutil
from fractions import Fraction
from itertools import chain, count
from pathlib import Path
from types import TracebackType

from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext

from ..files.aside import MAX_FILE_NAME, fitting_name, hidden_name, move_to, real_path, shortened
from ..types import VFEError
from .colour import BT601_625, FULL, RGB
from .errors import writing
from .info import VideoInfo
from .photo.carry import fitting_tags, tagged
from .photo.tags import PhotoTags
from .pixels import FrameFormat, FrameWriter
from .placed import Placed
from .read import Frame

# Encoder and the formats for 8 bit, 8 bit with alpha, 16 bit, 16 bit with alpha; None where it has none.
_ENCODERS: dict[str, tuple[str, tuple[str, str | None, str | None, str | None], dict[str, str]]] = {
    # The fastest level: a sixth of the time of the default for a file 15 % larger, with the same pixels.
    ".png": ("png", ("rgb24", "rgba", "rgb48be", "rgba64be"), {"compression_level": "1"}),
    ".tif": ("tiff", ("rgb24", "rgba", "rgb48le", "rgba64le"), {"compression_algo": "deflate"}),
    ".tiff": ("tiff", ("rgb24", "rgba", "rgb48le", "rgba64le"), {"compression_algo": "deflate"}),
    ".bmp": ("bmp", ("bgr24", "bgra", None, None), {}),
    ".webp": ("libwebp", ("bgra", "bgra", None, None), {"lossless": "1"}),
    ".jpg": ("mjpeg", ("yuvj444p", None, None, None), {"qmin": "1", "qmax": "1"}),
    ".jpeg": ("mjpeg", ("yuvj444p", None, None, None), {"qmin": "1", "qmax": "1"}),
}


class ImageWriter:
    """Encodes single images of one kind."""

    def __init__(self, suffix: str, deep: bool) -> None:
        self.lost: dict[str, None] = {}
        """A sentence for each thing that could not be kept of the images so far, in order."""
        self._suffix = suffix
        self._encoder, self._formats, self._options = _ENCODERS[suffix]
        self._deep = deep and self._formats[2] is not None
        self._writers: dict[str, FrameWriter] = {}

    def notes(self, deep: bool, alpha: bool) -> list[str]:
        """Return a sentence for each thing that this kind of image cannot keep of the source."""
        lost = ["bit depth above 8"] if deep and not self._deep else []
        lost += ["alpha"] if alpha and self._formats[1] is None else []
        return [f"{what} is dropped: this kind of image has none; write PNG to keep it" for what in lost]

    def encode(self, frame: Frame) -> bytes:
        """Return the bytes of an image file with this frame."""
        pix_fmt = self._format(frame.alpha is not None)
        picture = self._writer(pix_fmt).write(frame.pixels, frame.alpha)
        context = CodecContext.create(self._encoder, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = picture.width, picture.height, pix_fmt
        context.time_base = Fraction(1, 25)
        context.color_range = FULL
        context.options = dict(self._options)
        picture.pts = 0
        data = b"".join(bytes(packet) for packet in [*context.encode(picture), *context.encode(None)])
        return self._tagged(data, frame.tags, (picture.width, picture.height))

    def _tagged(self, data: bytes, tags: PhotoTags, size: tuple[int, int]) -> bytes:
        fitting, lost = fitting_tags(tags, self._suffix, size)
        self.lost |= dict.fromkeys(lost)
        return tagged(data, fitting, self._suffix, size)

    def _format(self, alpha: bool) -> str:
        index = 2 * self._deep + (alpha and self._formats[1] is not None)
        chosen = self._formats[index]
        assert chosen is not None
        return chosen

    def _writer(self, pix_fmt: str) -> FrameWriter:
        matrix = BT601_625 if pix_fmt.startswith("yuv") else RGB
        return self._writers.setdefault(pix_fmt, FrameWriter(FrameFormat(pix_fmt, matrix, FULL)))


class ImageSink:
    """A sink that writes one frame as one image, under a temporary name until it is whole."""

    def __init__(self, path: Path, info: VideoInfo) -> None:
        self.path = path
        self._writer = ImageWriter(path.suffix.lower(), info.bit_depth > 8)
        self.notes: list[str] = self._writer.notes(info.bit_depth > 8, info.has_alpha)
        self.notes += info.hdr.notes_on_dynamic()
        self._real_path = real_path(path)
        self._temporary = hidden_name(self._real_path, path.suffix)
        self._written = 0

    def __enter__(self) -> ImageSink:
        return self

    def write(self, frame: Frame) -> None:
        """Encode the frame. Raises VFEError where the disk is full, and for a second frame."""
        if self._written:
            raise VFEError(f"{self.path}: holds one image, got a second frame; give a folder or a .mp4 name instead")
        self._written += 1
        with writing(self.path):
            self._temporary.write_bytes(self._writer.encode(frame))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._written:
                with writing(self.path):
                    self._temporary.replace(self._real_path)
                self.notes += self._writer.lost
        finally:
            self._temporary.unlink(missing_ok=True)


class FolderSink:
    """A sink that writes frames as PNGs into a new folder beside the output folder, and moves them there at the end."""

    def __init__(self, path: Path, info: VideoInfo) -> None:
        self.path = path
        self.notes: list[str] = info.hdr.notes_on_dynamic()
        self._writer = ImageWriter(".png", info.bit_depth > 8)
        self.lost = self._writer.lost
        self._real_path = real_path(path)
        self._temporary = hidden_name(self._real_path)
        self._names: list[str] = []
        self._taken: set[str] = set()  # without case, for disks that do not tell A.png from a.png

    def __enter__(self) -> FolderSink:
        with writing(self.path):
            self._temporary.mkdir()
        return self

    def write(self, frame: Frame) -> None:
        """Write one PNG, named after the source image or numbered from 1. Raises VFEError where the disk is full."""
        self.put(self.part(frame), frame)

    def part(self, frame: Frame) -> bytes:
        """Return the bytes of the PNG of a frame; it needs no open folder."""
        return self._writer.encode(frame)

    def put(self, image: bytes, placed: Placed) -> None:
        """Write the next PNG into the folder. Raises VFEError where the disk is full."""
        name = self._name(placed)
        self._names.append(name)
        self._taken.add(name.casefold())
        with writing(self.path):
            (self._temporary / name).write_bytes(image)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with writing(self.path):
                    self._publish()
                self.notes += self.lost
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _publish(self) -> None:
        """Replace frames of the same names only; whatever else the user keeps in the folder stays."""
        if not self._real_path.exists():
            self._temporary.replace(self._real_path)
            return
        for name in self._names:
            move_to(self._temporary / name, self._real_path / name)

    def _name(self, placed: Placed) -> str:
        if placed.name is None:
            return f"{len(self._names) + 1:06d}.png"
        stem = Path(placed.name).stem
        # a.jpg and a.png side by side are told apart by their suffixes, and by a number where the name is too long.
        stems = chain((stem, placed.name), (f"{shortened(stem, MAX_FILE_NAME - 16)} {number}" for number in count(2)))
        return next(name for s in stems if (name := fitting_name(s, ".png")).casefold() not in self._taken)
