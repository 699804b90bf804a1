"""Audio, subtitles, chapters and metadata of the source, carried into the output beside the restored video."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Protocol

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle, SubtitleSet

from .errors import MEDIA_ERRORS, reason
from .files import open_video
from .info import VideoInfo
from .older import copy_chapters, copy_disposition, subtitle_header
from .read import start_shift

# What players of MP4 and MOV play; FFmpeg would put more into them.
_MP4_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})
_MOV_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
_AAC_BITS_PER_CHANNEL = 96_000
_AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000})
_AAC_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
# Written by the source's muxer about the source's file; wrong for ours.
_STALE_KEYS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "rotate"})


class _Route(Protocol):
    def send(self, packet: Packet[Stream], output: OutputContainer) -> None: ...

    def finish(self, output: OutputContainer) -> None: ...


class _Copy:
    """Stream copy."""

    def __init__(self, source: Stream, target: Stream, shift: int) -> None:
        self.source, self.target, self.shift = source, target, shift

    def send(self, packet: Packet[Stream], output: OutputContainer) -> None:
        """Mux a packet of the source as it is."""
        if packet.pts is not None:
            packet.pts -= self.shift
        if packet.dts is not None:
            packet.dts -= self.shift
        packet.stream = self.target
        output.mux(packet)

    def finish(self, output: OutputContainer) -> None:
        """Nothing is held back."""


class _Reencode:
    """Audio decoded and encoded again as AAC."""

    def __init__(self, source: AudioStream, target: AudioStream, shift: int) -> None:
        self.source, self.target, self.shift = source, target, shift

    def send(self, packet: Packet[Stream], output: OutputContainer) -> None:
        """Mux what the encoder makes of a packet."""
        try:
            frames = self.source.decode(packet)
        except MEDIA_ERRORS:
            return  # a damaged packet is a gap of some milliseconds
        for frame in frames:
            if frame.pts is not None:
                frame.pts -= self.shift
            output.mux(self.target.encode(frame))

    def finish(self, output: OutputContainer) -> None:
        """Mux what the encoder still holds."""
        output.mux(self.target.encode(None))


class _Retext:
    """Text subtitles decoded and encoded as the container's own kind of text."""

    def __init__(self, source: SubtitleStream, target: SubtitleStream, shift: int) -> None:
        self.source, self.target, self.shift = source, target, shift

    def send(self, packet: Packet[Stream], output: OutputContainer) -> None:
        """Mux one line of text under the time and duration of its packet."""
        if packet.pts is None or not packet.duration:
            return
        start = round((packet.pts - self.shift) * packet.time_base * 1000)
        length = round(packet.duration * packet.time_base * 1000)
        try:
            decoded = self.source.codec_context.decode2(packet)
        except MEDIA_ERRORS:
            return
        for rect in decoded.rects if decoded else ():
            if not isinstance(rect, AssSubtitle):
                continue
            line = SubtitleSet.create(rect.ass, 0, length, start)
            text = self.target.codec_context.encode_subtitle(line)
            text.pts, text.dts, text.duration = start, start, length
            text.time_base, text.stream = Fraction(1, 1000), self.target
            output.mux(text)

    def finish(self, output: OutputContainer) -> None:
        """Nothing is held back."""


class SideStreams:
    """Copies everything but the video of a source, in step with the video so that memory stays bounded."""

    def __init__(self, info: VideoInfo, output: OutputContainer, suffix: str, notes: list[str]) -> None:
        self._input: InputContainer = open_video(info.path)
        self._output, self._suffix, self._notes = output, suffix, notes
        self._routes: dict[int, _Route] = {}
        self._copy_metadata()
        for stream in self._input.streams:
            self._add(stream)
        streams = [self._input.streams[index] for index in self._routes]
        self._packets: Iterator[Packet[Stream]] = self._input.demux(*streams) if streams else iter(())
        self._pending: Packet[Stream] | None = None

    def copy_until(self, seconds: Fraction) -> None:
        """Mux all packets up to this time."""
        while packet := self._next():
            when = packet.dts if packet.dts is not None else packet.pts
            if when is not None and when * packet.time_base > seconds:
                self._pending = packet
                return
            self._routes[packet.stream.index].send(packet, self._output)

    def finish(self) -> None:
        """Mux the rest."""
        while packet := self._next():
            self._routes[packet.stream.index].send(packet, self._output)
        for route in self._routes.values():
            route.finish(self._output)

    def close(self) -> None:
        """Close the source."""
        self._input.close()

    def _next(self) -> Packet[Stream] | None:
        packet, self._pending = self._pending, None
        while packet is None or packet.size == 0:
            try:
                packet = next(self._packets)
            except StopIteration:
                return None
            except MEDIA_ERRORS:
                self._packets = iter(())  # a truncated file: the audio ends where the video does
                return None
        return packet

    def _copy_metadata(self) -> None:
        self._output.metadata.update(_fresh(self._input.metadata))
        lacking = copy_chapters(self._input, self._output)
        self._notes += [lacking] if lacking else []

    def _add(self, stream: Stream) -> None:
        shift = start_shift(self._input, stream.time_base)
        target: Stream | None = None
        if isinstance(stream, AudioStream):
            target = self._add_audio(stream, shift)
        elif isinstance(stream, SubtitleStream):
            target = self._add_subtitles(stream, shift)
        elif stream.type == "attachment" and self._suffix == ".mkv":
            target = self._output.add_stream_from_template(stream)
        elif stream.type == "video" and stream.disposition & Disposition.attached_pic:
            self._notes.append("cover art is not copied")
        if target is not None:
            target.metadata.update(_fresh(stream.metadata))
            copy_disposition(stream, target)

    def _add_audio(self, stream: AudioStream, shift: int) -> Stream | None:
        codec = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
        pcm = self._suffix == ".mov" and codec.startswith("pcm_")
        playable = _MOV_AUDIO if self._suffix == ".mov" else _MP4_AUDIO
        if (self._suffix == ".mkv" or codec in playable or pcm) and self._accepts(stream):
            target = self._output.add_stream_from_template(stream)
            self._routes[stream.index] = _Copy(stream, target, shift)
            return target
        if stream.codec_context is None or not stream.sample_rate:
            self._notes.append(f"audio stream {stream.index} ({codec}) is left out: it cannot be decoded")
            return None
        self._notes.append(f"audio {codec} is re-encoded as AAC: {self._suffix} cannot hold it everywhere")
        rate = stream.sample_rate if stream.sample_rate in _AAC_RATES else 48000
        encoded = self._output.add_stream("aac", rate=rate)
        # By count: sources such as AVI do not say which channel is which.
        encoded.codec_context.layout = _AAC_LAYOUTS.get(stream.layout.nb_channels, "stereo")
        encoded.codec_context.bit_rate = _AAC_BITS_PER_CHANNEL * encoded.codec_context.layout.nb_channels
        self._routes[stream.index] = _Reencode(stream, encoded, shift)
        return encoded

    def _add_subtitles(self, stream: SubtitleStream, shift: int) -> Stream | None:
        codec = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
        if self._accepts(stream):
            target = self._output.add_stream_from_template(stream)
            self._routes[stream.index] = _Copy(stream, target, shift)
            return target
        try:
            stream.codec_context.open(strict=False)
            header = subtitle_header(stream.codec_context)
            text = self._output.add_stream("subrip" if self._suffix == ".mkv" else "mov_text")
        except (*MEDIA_ERRORS, ValueError, AttributeError) as error:
            self._notes.append(f"subtitles {codec} are left out: {self._suffix} cannot hold them ({reason(error)})")
            return None
        text.codec_context.subtitle_header = header
        text.time_base = text.codec_context.time_base = Fraction(1, 1000)
        self._routes[stream.index] = _Retext(stream, text, shift)
        return text

    def _accepts(self, stream: Stream) -> bool:
        """Try the header in memory: only the muxer itself knows what it can hold."""
        try:
            with av.open(io.BytesIO(), "w", format=self._output.format.name) as trial:
                trial.add_stream_from_template(stream)
                trial.start_encoding()
        except (*MEDIA_ERRORS, ValueError):
            return False
        return True


def _fresh(metadata: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in metadata.items() if k.lower() not in _STALE_KEYS and not k.startswith("_STATISTICS")}
