"""Ways of a packet of sound or text from the source into the output: copied, or encoded again."""

from __future__ import annotations

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

    def finish(self) -> None:
        """Mux what is still held back."""
        ...


class Copy:
    """Stream copy. Sound gets the times that its samples give, where the source says them roughly."""

    def __init__(self, source: Stream, target: Stream, output: OutputContainer) -> None:
        self._source, self._target, self._output = source, target, output
        rate = source.sample_rate if isinstance(source, AudioStream) else 0
        self._clock = SampleClock(rate) if rate else None
        self._sample = Fraction(1, rate) if rate else None
        self._priming = _priming(source) if isinstance(source, AudioStream) else _DAY
        self._rising = _rising(output)
        self._length = 0

    def send(self, packet: Packet[Stream]) -> None:
        """Mux a packet as it is. One without any time goes nowhere, nor does sound that an edit list takes away."""
        unit, target = packet.time_base, self._target.time_base
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None or not unit or not target or dts * unit < -self._priming:
            return
        if self._clock is not None:
            dts = pts = self._clock.exact(dts, unit, self._samples(packet, unit), target)
        else:
            pts = dts = rescale(packet.pts if packet.pts is not None else dts, unit, target)
        packet.pts, packet.dts = self._rising.mended(pts, dts)
        if packet.duration:
            self._length = rescale(packet.duration, unit, target)
        elif self._sample is not None and not self._length:  # NUT never says any
            self._length = rescale(self._samples(packet, unit), self._sample, target)
        packet.duration = self._length  # of a last packet that says none: as long as the one before
        packet.time_base, packet.stream = target, self._target
        self._output.mux(packet)

    def finish(self) -> None:
        """Nothing is held back."""

    def _samples(self, packet: Packet[Stream], unit: Fraction) -> int:
        context = self._source.codec_context
        assert self._sample is not None
        if isinstance(context, AudioCodecContext) and context.frame_size:
            return context.frame_size
        return rescale(packet.duration or 0, unit, self._sample)


class CopyPicture:
    """Stream copy of another video, whose frames are not in the order in which they are shown, or of cover art."""

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

    def finish(self) -> None:
        """Nothing is held back."""


class Reencode:
    """Sound decoded and encoded again. Its rate, layout and format may change midway, those of the encoder stay."""

    def __init__(self, source: AudioStream, target: AudioStream, output: OutputContainer) -> None:
        self._source, self._target, self._output = source, target, output
        self._kind: tuple[int, str, str] | None = None
        self._clock = SampleClock(source.sample_rate or target.sample_rate)
        self._resampler: AudioResampler | None = None
        self._rising = _rising(output)

    def send(self, packet: Packet[Stream]) -> None:
        """Mux what the encoder makes of a packet. A damaged one is a gap of some milliseconds."""
        when, unit = packet.pts if packet.pts is not None else packet.dts, packet.time_base
        try:
            frames = self._source.codec_context.decode(packet)
        except MEDIA_ERRORS:
            return
        for frame in frames:
            if frame.pts is None:
                frame.pts = when
            when = None  # further frames of a packet follow the first
            self._encode(frame, unit)

    def finish(self) -> None:
        """Mux what the decoder, the resampler and the encoder still hold."""
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
        """What the resampler of sound of another kind still holds."""
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


def _priming(source: AudioStream) -> Fraction:
    """Seconds of sound before the start that a decoder needs to begin with: at most what AAC and Opus need."""
    if not source.sample_rate or source.codec_context.codec.canonical_name.startswith(("pcm_", "flac", "alac")):
        return Fraction(0)
    return max(Fraction(2112, source.sample_rate), Fraction(8, 100))


def _rising(output: OutputContainer) -> Increasing:
    return Increasing(0 if flag_number(output.format.flags) & _TS_NONSTRICT else 1)


class Retext:
    """Text subtitles decoded and encoded as the container's own kind of text."""

    def __init__(self, source: SubtitleStream, target: SubtitleStream, output: OutputContainer) -> None:
        self._source, self._target, self._output = source, target, output
        self._rising = Increasing(0)

    def send(self, packet: Packet[Stream]) -> None:
        """Mux one line of text under the time and duration of its packet."""
        if packet.pts is None or not packet.duration:
            return
        start = rescale(packet.pts, packet.time_base, _MILLISECOND)
        length = rescale(packet.duration, packet.time_base, _MILLISECOND)
        try:
            decoded = self._source.codec_context.decode2(packet)
        except MEDIA_ERRORS:
            return
        for rect in decoded.rects if decoded else ():
            if not isinstance(rect, AssSubtitle):
                continue
            line = SubtitleSet.create(rect.ass, 0, length, start)
            text = self._target.codec_context.encode_subtitle(line)
            text.pts, text.dts = self._rising.mended(start, start)
            text.duration, text.time_base, text.stream = length, _MILLISECOND, self._target
            self._output.mux(text)

    def finish(self) -> None:
        """Nothing is held back."""
