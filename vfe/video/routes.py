"""The ways of a packet of sound, text or another video from the source into the output: copied, or encoded again."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import Protocol

from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle, SubtitleSet

from .errors import MEDIA_ERRORS
from .flags import flag_number
from .times.scale import rescale
from .times.sound import Increasing, SampleClock

_TS_NONSTRICT = 0x20000  # AVFMT_TS_NONSTRICT: the muxer takes equal decoding times in a row
_MILLISECOND = Fraction(1, 1000)
_DAY = Fraction(86400)


class Route(Protocol):
    """What becomes of the packets of one stream, whose times are repaired already."""

    def send(self, packet: Packet[Stream]) -> None:
        """Mux what a packet gives. Raises what FFmpeg raises for packets that the output does not take."""
        ...

    def finish(self, end: Fraction) -> None:
        """Mux what is still held back. The video ends after `end` seconds."""
        ...


class Copy:
    """Copies the packets of sound or subtitles. Sound gets the times that its samples give where the source is rough.

    Sound of which neither the container nor the codec tells how long a packet lasts (FLAC in NUT) waits for the next
    packet: a muxer states the length of a stream from the last one.
    """

    def __init__(self, source: Stream, target: Stream, output: OutputContainer) -> None:
        self._source, self._target, self._output = source, target, output
        rate = source.sample_rate if isinstance(source, AudioStream) else 0
        self._clock = SampleClock(rate) if rate else None
        self._sample = Fraction(1, rate) if rate else None
        self._priming = _priming(source) if isinstance(source, AudioStream) else _DAY
        self._rising = _rising(output)
        self._length = 0
        self._waiting: Packet[Stream] | None = None

    def send(self, packet: Packet[Stream]) -> None:
        """Mux a packet as it is. A packet without any time is left out, and so is sound that an edit list
        takes away.
        """
        unit, target = packet.time_base, self._target.time_base
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None or not unit or not target or dts * unit < -self._priming:
            return
        samples = self._samples(packet, unit)
        if self._clock is not None:
            dts = pts = self._clock.exact(dts, unit, samples, target)
        else:
            pts = dts = rescale(packet.pts if packet.pts is not None else dts, unit, target)
        packet.pts, packet.dts = self._rising.mended(pts, dts)
        self._mux_waiting(packet.dts)
        packet.time_base, packet.stream = target, self._target
        if self._sample is None:  # a subtitle without a duration stays until the next one
            packet.duration = rescale(packet.duration or 0, unit, target)
        elif packet.duration or samples:
            self._length = rescale(packet.duration or 0, unit, target) or rescale(samples, self._sample, target)
            packet.duration = self._length
        else:
            self._waiting = packet
            return
        self._output.mux(packet)

    def finish(self, end: Fraction) -> None:
        """Mux the sound that waits for a next packet; it is as long as the samples that it decodes to."""
        del end
        if self._waiting is not None and self._sample is not None and self._target.time_base:
            last = Packet(bytes(self._waiting))
            samples = sum(frame.samples for frame in [*self._decoded(last), *self._decoded(None)])
            length = rescale(samples, self._sample, self._target.time_base) or self._length
            self._mux_waiting((self._waiting.dts or 0) + length)

    def _mux_waiting(self, until: int) -> None:
        packet, self._waiting = self._waiting, None
        if packet is not None:
            self._length = packet.duration = until - (packet.dts or 0)
            self._output.mux(packet)

    def _decoded(self, packet: Packet[Stream] | None) -> list[AudioFrame]:
        assert isinstance(self._source, AudioStream)
        with suppress(*MEDIA_ERRORS):
            return self._source.codec_context.decode(packet)
        return []

    def _samples(self, packet: Packet[Stream], unit: Fraction) -> int:
        """Return how many samples a packet of sound holds; 0 where nothing tells, and for subtitles."""
        context = self._source.codec_context
        if self._sample is None:
            return 0
        if isinstance(context, AudioCodecContext) and context.frame_size:
            return context.frame_size
        return rescale(packet.duration or 0, unit, self._sample)


class CopyPicture:
    """Copies the packets of another video, whose frames may not be in the order in which they are shown, or of cover
    art.
    """

    def __init__(self, source: Stream, target: Stream, output: OutputContainer) -> None:
        del source
        self._target, self._output = target, output
        self._rising = _rising(output)

    def send(self, packet: Packet[Stream]) -> None:
        """Mux a packet as it is; one without any time is shown at the start."""
        unit, target = packet.time_base, self._target.time_base
        if not unit or not target:
            return
        shown = next((when for when in (packet.pts, packet.dts) if when is not None), 0)
        decoded = packet.dts if packet.dts is not None else shown
        mended = self._rising.mended(rescale(shown, unit, target), rescale(decoded, unit, target))
        packet.pts, packet.dts = mended
        packet.duration = rescale(packet.duration or 0, unit, target)
        packet.time_base, packet.stream = target, self._target
        self._output.mux(packet)

    def finish(self, end: Fraction) -> None:
        """Do nothing: no packet is held back."""


class Reencode:
    """Decodes sound and encodes it again. The rate, layout and format of the source may change midway."""

    def __init__(self, source: AudioStream, target: AudioStream, output: OutputContainer) -> None:
        self._source, self._target, self._output = source, target, output
        self._kind: tuple[int, str, str] | None = None
        self._clock = SampleClock(source.sample_rate or target.sample_rate)
        self._resampler: AudioResampler | None = None
        self._rising = _rising(output)

    def send(self, packet: Packet[Stream]) -> None:
        """Mux what the encoder makes of a packet. Raises what FFmpeg raises for a damaged one, which leaves a gap."""
        when, unit = packet.pts if packet.pts is not None else packet.dts, packet.time_base
        for frame in self._source.codec_context.decode(packet):
            if frame.pts is None:
                frame.pts = when
            when = None  # further frames of a packet follow the first
            self._encode(frame, unit)

    def finish(self, end: Fraction) -> None:
        """Mux what the decoder, the resampler and the encoder still hold."""
        del end
        for frame in self._source.codec_context.decode(None):
            self._encode(frame, self._source.time_base)
        self._drain()
        self._mux(self._target.encode(None))

    def _encode(self, frame: AudioFrame, unit: Fraction | None) -> None:
        kind = (frame.sample_rate, frame.layout.name, frame.format.name)
        if kind != self._kind:
            self._drain()
            context = self._target.codec_context
            self._resampler = AudioResampler(format=context.format, layout=context.layout, rate=context.sample_rate)
            self._kind, self._clock = kind, SampleClock(frame.sample_rate)
        sample = Fraction(1, frame.sample_rate)
        if frame.pts is None or not unit:
            frame.pts, unit = self._clock.following(), sample
        frame.pts = self._clock.exact(frame.pts, unit, frame.samples, sample)
        frame.time_base = sample
        self._resample(frame)

    def _drain(self) -> None:
        """Encode what the resampler still holds of sound of the kind before."""
        if self._resampler is not None:
            self._resample(None)
            self._resampler = None

    def _resample(self, frame: AudioFrame | None) -> None:
        assert self._resampler is not None
        for resampled in self._resampler.resample(frame):
            if resampled is not None:  # what a resampler with nothing to do makes of None
                self._mux(self._target.encode(resampled))

    def _mux(self, packets: list[Packet[AudioStream]]) -> None:
        for packet in packets:
            if packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts = self._rising.mended(packet.pts, packet.dts)
            self._output.mux(packet)


def _decoding_time(packet: Packet[Stream]) -> int:
    """Return when a packet is decoded, in its time base. Raises ValueError where it has no time at all."""
    when = packet.dts if packet.dts is not None else packet.pts
    if when is None:
        raise ValueError("nothing says when it is played")
    return when


def _priming(source: AudioStream) -> Fraction:
    """Return the seconds of sound before the start that a decoder needs to begin with: at most what AAC and
    Opus need.
    """
    if not source.sample_rate or source.codec_context.codec.canonical_name.startswith(("pcm_", "flac", "alac")):
        return Fraction(0)
    return max(Fraction(2112, source.sample_rate), Fraction(8, 100))


def _rising(output: OutputContainer) -> Increasing:
    """Return a clock that gives the decoding times that this muxer takes."""
    return Increasing(0 if flag_number(output.format.flags) & _TS_NONSTRICT else 1)


class Retext:
    """Decodes text subtitles and encodes them as the container's own kind of text.

    A line without a duration is shown until the next one begins, as players of Matroska do, or the video ends; the
    ffmpeg program writes it as shown for no time, which in MP4 nobody sees.
    """

    def __init__(self, source: SubtitleStream, target: SubtitleStream, output: OutputContainer) -> None:
        self._source, self._target, self._output = source, target, output
        self._rising = Increasing(0)
        self._waiting: tuple[int, list[bytes]] | None = None

    def send(self, packet: Packet[Stream]) -> None:
        """Mux the lines of a packet under its time and duration.

        Raises ValueError for a packet without any time, and what FFmpeg raises for a damaged one.
        """
        when = packet.pts if packet.pts is not None else _decoding_time(packet)
        start = rescale(when, packet.time_base, _MILLISECOND)
        length = rescale(packet.duration or 0, packet.time_base, _MILLISECOND)
        decoded = self._source.codec_context.decode2(packet)
        lines = [rect.ass for rect in decoded.rects if isinstance(rect, AssSubtitle)] if decoded else []
        self._mux_waiting(start)
        if length:
            self._mux(start, length, lines)
        else:
            self._waiting = start, lines

    def finish(self, end: Fraction) -> None:
        """Mux the last line where it has no duration; it is shown until the video ends."""
        self._mux_waiting(rescale(1, end, _MILLISECOND))

    def _mux_waiting(self, until: int) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            start, lines = waiting
            self._mux(start, max(1, until - start), lines)

    def _mux(self, start: int, length: int, lines: list[bytes]) -> None:
        """Mux lines of ASS text from `start` on, both times in milliseconds."""
        for line in lines:
            text = self._target.codec_context.encode_subtitle(SubtitleSet.create(line, 0, length, start))
            text.pts, text.dts = self._rising.mended(start, start)
            text.duration, text.time_base, text.stream = length, _MILLISECOND, self._target
            self._output.mux(text)
