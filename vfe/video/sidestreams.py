"""Sound, subtitles, chapters and metadata of the source, carried into the output beside the restored video."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from .companions import companions
from .errors import MEDIA_ERRORS, reason
from .files import open_video
from .info import VideoInfo
from .metadata import add_track_metadata, fresh
from .probe import video_stream
from .pyav_compat import copy_chapters, copy_disposition, set_default, subtitle_header
from .routes import Copy, CopyPicture, Reencode, Retext, Route
from .times.packets import MendedPackets
from .times.timeline import used_streams

# What players of MP4 and MOV play; FFmpeg would put more into them.
_MP4_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})
_MOV_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
_AAC_BITS_PER_CHANNEL = 96_000
_AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000})
_AAC_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_SELF_CONTAINED = frozenset({"mpegts", "mpeg", "aac"})


@dataclass
class _Refused:
    """How many packets of a stream the output did not take, and why."""

    reason: str
    packets: int = 0


class SideStreams:
    """Carries everything but the video of a source, in step with the video so that memory stays bounded."""

    def __init__(self, info: VideoInfo, output: OutputContainer, suffix: str, notes: list[str]) -> None:
        self._input: InputContainer = open_video(info.path)
        self._output, self._suffix, self._notes = output, suffix, notes
        self._routes: dict[int, Route] = {}
        self._refused: dict[int, _Refused] = {}
        video = video_stream(self._input, info.path, info.stream)
        # What is wrong with the file, the video's reader tells.
        mended = MendedPackets(self._input, used_streams(self._input, video), lambda _: None)
        self._timeline = mended.timeline
        self._copy_metadata()
        streams, notes = companions(self._input, video)
        self._notes += notes
        for stream in streams:
            self._add(stream)
        self._note_data(streams)
        self._packets = iter(mended) if self._routes else iter(())
        self._pending: Packet[Stream] | None = None

    def copy_until(self, seconds: Fraction) -> None:
        """Mux all packets up to this time in seconds."""
        while packet := self._next():
            when = packet.dts if packet.dts is not None else packet.pts
            if when is not None and when * packet.time_base > seconds:
                self._pending = packet
                return
            self._send(packet)

    def finish(self, end: Fraction) -> None:
        """Mux the rest, and note what the output did not take. The video ends after `end` seconds."""
        while packet := self._next():
            self._send(packet)
        for index, route in self._routes.items():
            with self._refusal(index):
                route.finish(end)
        for index, refused in self._refused.items():
            stream = self._input.streams[index]
            many = "a packet" if refused.packets == 1 else f"{refused.packets} packets"
            self._notes.append(f"{many} of {stream.type} stream {index} left out: {refused.reason}")

    def close(self) -> None:
        """Close the source."""
        self._input.close()

    def _next(self) -> Packet[Stream] | None:
        packet, self._pending = self._pending, None
        while packet is None or packet.stream_index not in self._routes:
            packet = next(self._packets, None)
            if packet is None:
                return None
        return packet

    def _send(self, packet: Packet[Stream]) -> None:
        with self._refusal(packet.stream_index):
            self._routes[packet.stream_index].send(packet)

    @contextmanager
    def _refusal(self, index: int) -> Iterator[None]:
        """Count packets that the output does not take, for the picture is worth more than they. Disk errors
        are raised.
        """
        try:
            yield
        except (av.FFmpegError, ValueError) as error:
            if isinstance(error, OSError | MemoryError):
                raise
            self._refused.setdefault(index, _Refused(reason(error))).packets += 1

    def _copy_metadata(self) -> None:
        self._output.metadata.update(fresh(self._input.metadata))
        lacking = copy_chapters(self._input, self._output, self._timeline)
        self._notes += [lacking] if lacking else []

    def _add(self, stream: Stream) -> None:
        target: Stream | None = None
        if isinstance(stream, AudioStream):
            target = self._add_audio(stream)
        elif isinstance(stream, SubtitleStream):
            target = self._add_subtitles(stream)
        elif stream.type == "attachment" and self._suffix == ".mkv":
            target = self._output.add_stream_from_template(stream)
        elif isinstance(stream, VideoStream):
            target = self._add_video(stream)
        if target is not None:
            name = f"{stream.type} stream {stream.index}"
            self._notes += add_track_metadata(target, stream.metadata, self._output, name)
            copy_disposition(stream, target)
            if isinstance(stream, VideoStream) and not stream.disposition & Disposition.attached_pic:
                set_default(target, False)  # the restored one is the default

    def _add_video(self, stream: VideoStream) -> Stream | None:
        """Add another picture of the file, which is kept as it is; return None where the output cannot hold it."""
        codec = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
        cover = bool(stream.disposition & Disposition.attached_pic)
        what = "cover art" if cover else f"video stream {stream.index} ({codec})"
        if (cover and self._suffix in (".mkv", ".mov")) or not self._accepts(stream):
            self._notes.append(f"{what} is left out: {self._suffix} cannot hold it")
            return None
        if not cover:
            self._notes.append(f"{what} is copied as it is, not restored")
        target = self._output.add_stream_from_template(stream, opaque=True)
        self._routes[stream.index] = CopyPicture(stream, target, self._output)
        return target

    def _note_data(self, streams: list[Stream]) -> None:
        """Note the streams that no output holds. Start timecodes are none of them: they are written anew from the
        metadata.
        """
        kinds = [
            s.type for s in streams if s.type in ("data", "attachment", "unknown") and "timecode" not in s.metadata
        ]
        if self._suffix == ".mkv":
            kinds = [kind for kind in kinds if kind != "attachment"]
        for kind in dict.fromkeys(kinds):
            self._notes.append(
                f"{kinds.count(kind)} {kind} streams are left out: {self._suffix} files of vfe hold none"
            )

    def _add_audio(self, stream: AudioStream) -> Stream | None:
        if not stream.codec_context:
            self._notes.append(f"audio stream {stream.index} is left out: it cannot be decoded")
            return None
        codec = stream.codec_context.codec.canonical_name
        pcm = self._suffix == ".mov" and codec.startswith("pcm_")
        playable = _MOV_AUDIO if self._suffix == ".mov" else _MP4_AUDIO
        playable_here = self._suffix == ".mkv" or codec in playable or pcm
        if not stream.sample_rate:
            why = "it begins late in the file"
        elif _lacks_configuration(stream):
            why = "what decoders need beforehand is missing"
        elif playable_here and self._accepts(stream):
            target = self._output.add_stream_from_template(stream)
            self._routes[stream.index] = Copy(stream, target, self._output)
            return target
        else:
            why = f"{self._suffix} cannot hold it everywhere"
        self._notes.append(f"audio {codec} is re-encoded as AAC: {why}")
        rate = stream.sample_rate if stream.sample_rate in _AAC_RATES else 48000
        encoded = self._output.add_stream("aac", rate=rate)
        # By count: sources such as AVI do not say which channel is which.
        encoded.codec_context.layout = _AAC_LAYOUTS.get(stream.layout.nb_channels, "stereo")
        encoded.codec_context.bit_rate = _AAC_BITS_PER_CHANNEL * encoded.codec_context.layout.nb_channels
        self._routes[stream.index] = Reencode(stream, encoded, self._output)
        return encoded

    def _add_subtitles(self, stream: SubtitleStream) -> Stream | None:
        codec = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
        if self._accepts(stream):
            target = self._output.add_stream_from_template(stream)
            self._routes[stream.index] = Copy(stream, target, self._output)
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
        self._routes[stream.index] = Retext(stream, text, self._output)
        return text

    def _accepts(self, stream: Stream) -> bool:
        """Return whether the output can hold a stream, by writing a file in memory: only the muxer itself knows.

        MP4 and MOV describe their streams at the end, those that have a packet. Of a stream whose codec nobody knows,
        PyAV 14.2 must not be asked: it ends the process.
        """
        if not stream.codec_context:
            return False
        try:
            with av.open(io.BytesIO(), "w", format=self._output.format.name) as trial:
                target = trial.add_stream_from_template(stream, opaque=True)
                trial.start_encoding()
                if self._suffix != ".mkv":
                    with suppress(*MEDIA_ERRORS):  # of what is in the packet
                        trial.mux(_any_packet(target))
        except (*MEDIA_ERRORS, ValueError):
            return False
        return True


def _any_packet(stream: Stream) -> Packet[Stream]:
    packet: Packet[Stream] = Packet(bytes(16))
    packet.stream, packet.time_base = stream, stream.time_base or Fraction(1, 1000)
    packet.pts = packet.dts = 0
    packet.duration = 1
    return packet


def _lacks_configuration(stream: AudioStream) -> bool:
    """Return whether a file lost what it should say of AAC sound before the first packet, which no output does without.

    In transport streams and files of bare AAC, every packet says it.
    """
    bare = stream.codec_context.codec.canonical_name == "aac" and not stream.codec_context.extradata
    return bare and stream.container.format.name not in _SELF_CONTAINED
