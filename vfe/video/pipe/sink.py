"""Frames that are written to standard output as they come, as Y4M."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from types import TracebackType

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from ...types import VFEError
from ..aspect import shown_aspect
from ..codecs import SinkConfig
from ..errors import MEDIA_ERRORS, is_full_disk, reason
from ..info import FirstField, VideoInfo
from ..pixels import FrameWriter
from ..read import Frame
from ..target import check_size
from .plan import plan_y4m
from .streams import PIPE, standard_output
from .y4m import Y4M

_CLOSED = frozenset({errno.EPIPE, errno.EINVAL})  # the latter is what Windows says


class PipedSink:
    """A sink that writes Y4M to standard output; what it wrote cannot be taken back."""

    def __init__(self, info: VideoInfo, size: tuple[int, int], config: SinkConfig) -> None:
        """Check and decide how to write frames of `size` (width, height); VFEError where that is not possible."""
        check_size(size)
        self.path = PIPE
        self._info, self._size, self._plan = info, size, plan_y4m(info, size, config)
        self.notes = list(self._plan.notes)
        self._file = standard_output()
        self._writer = FrameWriter(self._plan.target)
        self._muxed = io.BytesIO()  # what FFmpeg wrote and nobody sent yet
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._written = 0
        self._is_even = True
        self._start = Fraction(0)  # seconds, of the first frame

    def __enter__(self) -> PipedSink:
        plan, (width, height) = self._plan, self._size
        # Without the first, FFmpeg writes no more than 8 bits; without the second, it holds frames back.
        options = {"strict": "-1", "flush_packets": "1"}
        self._container = av.open(self._muxed, "w", format=Y4M, options=options)
        location = {"chroma_sample_location": plan.chroma_location}
        stream = self._container.add_stream("rawvideo", rate=self._info.rate, options=location)
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, plan.target.pix_fmt
        context.time_base = stream.time_base = 1 / self._info.rate
        context.color_range = plan.target.color_range
        self._stream = stream
        return self

    def write(self, frame: Frame) -> None:
        """Send a frame of the size given at opening. Raises VFEError where nobody reads, or the disk is full."""
        assert self._stream is not None and self._container is not None, "write() belongs inside the with block"
        self._is_even &= self._follows(frame)
        picture = self._writer.write(frame.pixels, frame.alpha, frame.stored)
        picture.pts, picture.time_base = self._written, 1 / self._info.rate
        self._container.mux(self._stream.encode(picture))
        self._send()
        self._written += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._container is not None:
            with suppress(*MEDIA_ERRORS):
                self._container.close()
        if kind is not None:
            return
        self._send()
        if not self._is_even:
            rate = f"{float(self._info.rate):.3f}"
            self.notes.append(
                f"frame times of the source vary, and Y4M has one rate: all frames are written at {rate} a second"
            )

    def _follows(self, frame: Frame) -> bool:
        """Return whether a frame is shown when Y4M will have it, by less than the time of a frame."""
        if frame.pts is None or frame.time_base is None:
            return True
        when = frame.pts * frame.time_base
        if not self._written:
            self._start = when
        return abs((when - self._start) * self._info.rate - self._written) < 1

    def _send(self) -> None:
        """Write what FFmpeg wrote to standard output, all of it."""
        data = self._muxed.getvalue()
        if not self._written:
            data = _with_tags(data, shown_aspect(self._info, self._size), self._plan.first_field)
        self._muxed.seek(0)
        self._muxed.truncate()
        rest = memoryview(data)
        with _sending(self._written):
            while rest:
                rest = rest[self._file.write(rest) :]


def _with_tags(data: bytes, aspect: Fraction, first_field: FirstField | None) -> bytes:
    """Return the begin of a stream with the pixel aspect and the order of fields in its header, where PyAV lets no
    muxer know them.
    """
    header, newline, frames = data.partition(b"\n")
    header = header.replace(b" A0:0", b" A%d:%d" % (aspect.numerator, aspect.denominator), 1)
    if first_field is not None:
        header = header.replace(b" Ip", b" It" if first_field == "top" else b" Ib", 1)
    return header + newline + frames


@contextmanager
def _sending(frames: int) -> Iterator[None]:
    """Turn the errors of standard output into VFEError."""
    try:
        yield
    except OSError as error:
        if error.errno in _CLOSED:
            told = f"standard output was closed by the program that reads it, after {frames} frames"
            raise VFEError(f"{told}; see what ended that program") from error
        if is_full_disk(error):
            raise VFEError("disk full while writing standard output: free some space or choose another disk") from error
        raise VFEError(f"standard output: cannot be written ({reason(error)}); give the name of a file") from error
