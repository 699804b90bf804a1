"""Frames that are read from standard input as they come."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import chain
from types import TracebackType
from typing import BinaryIO

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame

from ...types import VFEError
from ..errors import MEDIA_ERRORS, is_full_disk, reading, reason
from ..pixels import FrameReader
from ..probe import describe_stream, video_stream
from ..read import Decoded, Source, interlaced_note
from .streams import INPUT, standard_input
from .y4m import Y4M, Frames, broken_header, chroma_location, cut_frame_bytes, first_field, frame_bytes, read_header


def open_piped_source(*, keeps: bool) -> PipedSource:
    """Open standard input, and read its header and its first frame.

    `keeps` says whether it is to be read more than once, for which a temporary file keeps it.
    Raises VFEError where it is no Y4M, or has no frame.
    """
    file = standard_input()
    with reading(INPUT):
        header = read_header(file)
        try:
            container = av.open(io.BytesIO(header), "r", format=Y4M)
        except MEDIA_ERRORS as error:
            raise broken_header(reason(error)) from error
        return PipedSource(file, header, container, tempfile.TemporaryFile() if keeps else None)


class PipedSource(Source):
    """The frames of standard input: each iteration but the first reads what was kept of it."""

    def __init__(self, file: BinaryIO, header: bytes, container: InputContainer, kept: BinaryIO | None) -> None:
        self._container, self._kept = container, kept
        self._stream = stream = video_stream(container, INPUT)
        decoder = stream.codec_context
        layout = decoder.pix_fmt or "", decoder.width, decoder.height
        self._size = frame_bytes(*layout)
        self._frames = Frames(file, self._size, cut_frame_bytes(*layout))
        self._coming = iter(self._frames)
        self._first = next(self._coming, None)
        if self._first is None:
            raise VFEError(f"{INPUT}: has no frame, {self._frames.fault or 'only a header'}; needed is a whole video")
        frame = self._decoded(self._first)
        info = describe_stream(INPUT, container, stream, frame)
        chroma, field = chroma_location(header), first_field(header)
        super().__init__(replace(info, chroma_location=chroma, first_field=field, is_piped=True))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._kept is not None:
            self._kept.close()
        self._container.close()

    def _read_video(self) -> Generator[Decoded, None, None]:
        from_pipe = self._first is not None
        reader = FrameReader(self.info.color_space, self.info.color_range)
        self._tags = self._coding()
        count = woven = 0
        with reading(INPUT):
            for data in self._from_pipe() if from_pipe else self._from_kept():
                frame = self._decoded(data)
                frame.pts, frame.time_base = count, self.info.time_base
                count += 1
                woven += frame.interlaced_frame
                yield self._picture(frame, 1, reader)
        if not from_pipe:
            return  # everything was said the first time
        if self._frames.fault:
            fault = self._frames.fault
            self._tell(f"{INPUT} is damaged or cut short: {count} frames were read, then {fault}")
        if woven:
            self._tell(interlaced_note(woven, count))  # the sink says as what
        if self._kept is not None:
            size = count * self._size / 1e6
            self._tell(f"{INPUT} was kept for a second pass: {size:.1f} MB in {tempfile.gettempdir()}, removed again")

    def _from_pipe(self) -> Iterator[bytes]:
        assert self._first is not None
        first, self._first = self._first, None
        for data in chain([first], self._coming):
            if self._kept is not None:
                self._keep(data)
            yield data

    def _keep(self, data: bytes) -> None:
        assert self._kept is not None
        try:
            self._kept.write(data)
        except OSError as error:
            if not is_full_disk(error):
                raise
            folder = tempfile.gettempdir()
            advice = "name another folder in TMPDIR, or restore frames as they come (region frame, face model none)"
            raise VFEError(f"disk full while keeping {INPUT} in {folder} for a second pass: {advice}") from error

    def _from_kept(self) -> Iterator[bytes]:
        assert self._kept is not None, "a pipe that is not kept can be read once"
        self._kept.seek(0)
        while data := self._kept.read(self._size):
            yield data

    def _decoded(self, data: bytes) -> VideoFrame:
        (frame,) = self._stream.codec_context.decode(Packet(data))
        return frame
