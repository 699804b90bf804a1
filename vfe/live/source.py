"""What a live run looks at: a camera, a stream by its address, or a file that is played at its own speed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from ..types import VFEError
from ..video.decode import decoder_of
from ..video.errors import MEDIA_ERRORS, reason
from ..video.files import open_video
from ..video.orient import orientation_of
from ..video.probe import video_stream
from ..video.pyav_compat import ONE_THREAD
from .cameras import Camera
from .frame import Picture, RawFrame

READ_SECONDS = 5.0
"""A camera or a stream that gives nothing for so long has stopped."""
NOT_YET = 0.002
"""Seconds after which a camera is asked again that had no frame yet, as those of macOS say."""
QUICK = {"fflags": "nobuffer", "flags": "low_delay", "probesize": "500000", "analyzeduration": "500000"}
"""What FFmpeg is told of streams, so that it holds nothing back."""


@dataclass(frozen=True)
class LiveInput:
    """What is looked at."""

    where: Camera | Path | str
    """A camera, a file, or the address of a stream."""
    loops: bool = False
    """Whether a file begins again at its end."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return str(self.where)


class LiveSource:
    """An open input; frames can be read once, by one thread."""

    def __init__(self, asked: LiveInput) -> None:
        """Open it. Raises VFEError, in one line, where it is not there or is no video."""
        self.asked = asked
        self._container = _opened(asked.where)
        with ExitStack() as opening:
            opening.callback(self._container.close)
            self._stream = video_stream(self._container, Path(asked.name))
            opening.pop_all()  # it stays open where there is a video
        self._decoder = decoder_of(self._stream)
        self._scaler = VideoReformatter()
        self.stopped = threading.Event()
        """Set to end the reading, from any thread."""

    def close(self) -> None:
        """Let go of the input, when nobody reads any more."""
        self._container.close()

    def frames(self) -> Iterator[RawFrame]:
        """Yield frames as they come. Raises VFEError where a camera or a stream stops by itself."""
        pictures = self._played() if isinstance(self.asked.where, Path) else self._decoded()
        for number, frame in enumerate(pictures):
            yield RawFrame(number, time.monotonic(), partial(self._picture, frame))
        if not self.stopped.is_set() and not isinstance(self.asked.where, Path):
            raise VFEError(f"{self.asked.name}: has ended")

    def _played(self) -> Iterator[VideoFrame]:
        """Yield the frames of a file when they are due."""
        while True:
            began = first = None
            for frame in self._decoded():
                unit = frame.time_base or self._stream.time_base  # frames that come out at the end have none
                if frame.pts is not None and unit:
                    when = float(frame.pts * unit)
                    if began is None or first is None:
                        began, first = time.monotonic(), when
                    self.stopped.wait(max(0.0, began + when - first - time.monotonic()))
                if self.stopped.is_set():
                    return
                yield frame
            if not self.asked.loops or began is None:
                return
            self._decoder.flush_buffers()
            self._container.seek(0)

    def _decoded(self) -> Iterator[VideoFrame]:
        """Yield what can be decoded; frames that cannot are left out. Raises VFEError where reading fails."""
        packets = self._container.demux(self._stream)
        while not self.stopped.is_set():
            try:
                packet = next(packets, None)
            except av.BlockingIOError:
                time.sleep(NOT_YET)
                packets = self._container.demux(self._stream)
                continue
            except MEDIA_ERRORS as error:
                raise VFEError(f"{self.asked.name}: stopped ({reason(error)})") from error
            if packet is None:
                return
            try:
                yield from self._decoder.decode(packet if packet.size else None)
            except av.EOFError:
                return
            except MEDIA_ERRORS:
                continue

    def _picture(self, frame: VideoFrame) -> Picture:
        """Return the pixels of a frame, upright."""
        rgb = self._scaler.reformat(frame, format="rgb24", **ONE_THREAD).to_ndarray()
        turn = orientation_of(frame, self._stream.codec_context.name)
        turned = rgb[:, ::-1] if turn.mirror else rgb
        return np.ascontiguousarray(np.rot90(turned, -turn.quarter_turns))


def _opened(where: Camera | Path | str) -> InputContainer:
    try:
        if isinstance(where, Camera):
            return av.open(where.device, format=where.format, options=where.options, timeout=READ_SECONDS)
        if isinstance(where, Path):
            return open_video(where)
        return av.open(where, options=QUICK, timeout=READ_SECONDS)
    except (*MEDIA_ERRORS, ValueError) as error:
        raise VFEError(_unopened(where, error)) from error


def _unopened(where: Camera | Path | str, error: BaseException) -> str:
    if isinstance(where, Camera):
        return (
            f"{where}: cannot be opened ({reason(error)}); `vfe live --list` shows the cameras, and one that another "
            "program uses is busy"
        )
    needed = "a video file" if isinstance(where, Path) else "the address of a stream that runs"
    return f"{where}: cannot be opened ({reason(error)}); needed is {needed}"
