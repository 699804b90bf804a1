"""A live MPEG-TS by UDP or SRT, as OBS and players read it."""

from __future__ import annotations

from fractions import Fraction

import av
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from ...types import VFEError
from ...video.errors import MEDIA_ERRORS, reason
from ...video.pyav_compat import ONE_THREAD
from ..frame import Picture, ShownFrame
from .threaded import ThreadedOutput

CLOCK = Fraction(1, 90_000)
"""The time base of MPEG-TS in seconds."""
KEY_FRAMES = 25
"""Frames from one key frame to the next: who begins to look waits for one."""
ENCODERS = (("libx264", {"preset": "ultrafast", "tune": "zerolatency", "crf": "20"}), ("mpeg2video", {"qmin": "3"}))
"""Encoders and their options, the best first: both hold no frame back."""
AT_ONCE = {"flush_packets": "1", "muxdelay": "0", "muxpreload": "0"}
PACKET = 1316
"""The bytes of a datagram: seven packets of MPEG-TS, which fit into an Ethernet frame."""


class StreamOutput(ThreadedOutput):
    """Encodes what was restored, and sends it to an address."""

    def __init__(self, address: str) -> None:
        """Nothing is opened before the first frame, whose size the stream keeps."""
        self.address = address
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._scaler = VideoReformatter()
        self._began: float | None = None
        self._last = -1
        super().__init__()

    @property
    def where(self) -> str:
        """The address."""
        return self.address

    def _send(self, shown: ShownFrame) -> None:
        try:
            if self._container is None or self._stream is None:
                self._open(shown.restored)
            assert self._container is not None
            assert self._stream is not None
            for packet in self._stream.encode(self._frame(shown)):
                self._container.mux(packet)
        except MEDIA_ERRORS as error:
            raise VFEError(f"{self.address}: cannot be sent to ({reason(error)}); needed is a reader there") from error

    def _open(self, picture: Picture) -> None:
        joint = "&" if "?" in self.address else "?"
        address = self.address if "pkt_size" in self.address else f"{self.address}{joint}pkt_size={PACKET}"
        self._container = av.open(address, "w", format="mpegts", container_options=AT_ONCE)
        self._stream = _video(self._container)
        self._stream.height, self._stream.width = (max(2, side // 2 * 2) for side in picture.shape[:2])

    def _frame(self, shown: ShownFrame) -> VideoFrame:
        """Return a frame as the encoder takes it, at the time at which it was taken."""
        assert self._stream is not None
        frame = self._scaler.reformat(
            VideoFrame.from_ndarray(shown.restored, format="rgb24"),
            width=self._stream.width,
            height=self._stream.height,
            format="yuv420p",
            **ONE_THREAD,
        )
        if self._began is None:
            self._began = shown.frame.taken
        self._last = max(self._last + 1, round((shown.frame.taken - self._began) / CLOCK))
        frame.pts, frame.time_base = self._last, CLOCK
        return frame

    def _end(self) -> None:
        if self._container is None or self._stream is None:
            return
        try:
            for packet in self._stream.encode(None):
                self._container.mux(packet)
            self._container.close()
        except MEDIA_ERRORS as error:
            raise VFEError(f"{self.address}: the stream could not be ended ({reason(error)})") from error


def _video(container: OutputContainer) -> VideoStream:
    """Return a stream by the best encoder that this FFmpeg has."""
    for name, options in ENCODERS:
        try:
            stream = container.add_stream(name, rate=25, options=options)
        except UnknownCodecError:
            continue
        assert isinstance(stream, VideoStream)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = CLOCK
        stream.codec_context.gop_size = KEY_FRAMES
        stream.codec_context.max_b_frames = 0
        stream.codec_context.thread_count = 1
        return stream
    raise VFEError("this PyAV can encode neither H.264 nor MPEG-2; install PyAV from PyPI")
