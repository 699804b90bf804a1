"""Decoding that goes on where a file is damaged, and says so. The one place of the package that sets up decoders.

A decoder must not work while nobody waits for it. PyAV closes decoders with the GIL held, FFmpeg then waits for its
threads, and a thread that wants to log waits for the GIL, for ever, as soon as anything in the process has set
`av.logging` to a level (importing torchvision up to 0.25 does). Frame threads work on after a frame was handed out, so
decoders have slice threads alone, which are at rest between two calls, whoever drops them, wherever, and when. What
else was tried, on every PyAV from 14.2 to 18.1:

- Frame threads that are flushed before the decoder is closed hang where Python ends with a decoder that nobody closed.
- Silencing the log while ours are open takes it from others, and another thread may set its level meanwhile.

The price is that H.264 of one slice a frame, the usual kind, is decoded on one core: 8.4 ms a frame for 1080p at 12
Mbit/s, on an AMD EPYC. In return no decoded frames are held for threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain

import av
from av.codec.codec import UnknownCodecError
from av.codec.context import CodecContext, ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .errors import MEDIA_ERRORS, reason
from .times.packets import MendedPackets
from .times.shown import ShownTimes
from .times.timeline import used_streams

_REMEMBERED = 64  # failures: more than the frames that decoders hold back


@dataclass
class Damage:
    """What went wrong while one stream was decoded."""

    bad_packets: int = 0
    bad_frames: int = 0
    skipped_packets: int = 0
    jumps: int = 0
    """How often the times jump, as where two recordings were joined; the jumps are closed."""
    reached: float = 0.0
    """Where the packets of all streams end, in seconds."""
    moved: int = 0
    """The number of frames whose times did not increase, or lay before the start, and were moved."""
    reordered: bool = False
    """Whether the frames are decoded in another order than they are shown in."""
    mixed_up: bool = False
    """Whether the frames are shown in another order than that of the times in the file, which are given out
    in order.
    """
    first_error: str = ""
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """The times of the last packets that failed or are marked as damaged, in seconds."""
    _now: float = 0.0

    @property
    def cause(self) -> str:
        """The first error in words, or what it means that there was none."""
        return self.first_error or "the stream is empty"

    def sent(self, packet: Packet[Stream]) -> None:
        """Note the packet that the decoder gets next."""
        when = packet.pts if packet.pts is not None else packet.dts
        if when is not None and packet.time_base:
            self._now = float(when * packet.time_base)
        if packet.is_corrupt:
            self.failures.append(self._now)

    def add(self, error: BaseException) -> None:
        """Count an error of the demuxer or the decoder."""
        self.bad_packets += 1
        self.failures.append(self._now)
        self.first_error = self.first_error or reason(error)


def decode_frames(container: InputContainer, stream: VideoStream, damage: Damage) -> Generator[VideoFrame, None, None]:
    """Yield the frames that can be decoded, one at a time; errors are counted in `damage` and not raised.

    The times of the frames increase, and count from the start of the file (see `times`).
    """
    decoder, times = decoder_of(stream), ShownTimes()
    mended = MendedPackets(container, used_streams(container, stream), damage.add)
    for packet in chain(mended, [None]):
        if packet is not None:
            damage.jumps, damage.reached = mended.timeline.jumps, mended.timeline.reached
            if packet.stream_index != stream.index:
                continue
            damage.skipped_packets += packet.is_discard
            damage.sent(packet)
            times.sent(packet)
        try:
            frames = decoder.decode(packet)
        except av.EOFError:
            return
        except MEDIA_ERRORS as error:
            damage.add(error)
            continue
        for frame in frames:
            damage.bad_frames += frame.is_corrupt
            if frame.time_base is None and stream.time_base:  # frames that come out at the end have none
                frame.time_base = stream.time_base
            times.retime(frame)
            damage.moved, damage.reordered, damage.mixed_up = times.moved, times.reordered, times.mixed_up
            yield frame


def decode_picture(codec: str, configuration: bytes | None, data: bytes) -> VideoFrame | None:
    """Return the frame that one packet holds, or None where there is none.

    `configuration` is what the decoder needs beforehand. Raises what FFmpeg raises, and UnknownCodecError.
    """
    decoder = CodecContext.create(codec, "r")
    assert isinstance(decoder, VideoCodecContext)
    if configuration is not None:
        decoder.extradata = configuration
    _rest_between_calls(decoder)
    return next(iter([*decoder.decode(Packet(data)), *decoder.decode(None)]), None)


def decoder_of(stream: VideoStream) -> VideoCodecContext:
    """Return the decoder of a stream, set up as all decoders of this package are."""
    decoder = _with_alpha(stream) or stream.codec_context
    _rest_between_calls(decoder)
    return decoder


def _rest_between_calls(decoder: VideoCodecContext) -> None:
    """Set a decoder up so that it works only while somebody waits for it; the reason stands at the top of this file."""
    decoder.thread_type = ThreadType.SLICE
    if decoder.codec.name == "libdav1d":  # it has threads of its own, which would work ahead
        decoder.options = {"max_frame_delay": "1"}


def _with_alpha(stream: VideoStream) -> VideoCodecContext | None:
    """Return a decoder of libvpx for VP8 and VP9 with alpha, which FFmpeg's own decoders drop; None for other
    streams.
    """
    with suppress(UnknownCodecError, KeyError):
        if stream.metadata.get("alpha_mode") == "1":
            decoder = CodecContext.create(_ALPHA_DECODERS[stream.codec_context.name], "r")
            assert isinstance(decoder, VideoCodecContext)
            return decoder
    return None


_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
