"""Frames are written into a video file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..files.aside import hidden_name, real_path
from ..files.durable import flush
from .aspect import shown_aspect
from .codecs import EncoderPlan
from .errors import MEDIA_ERRORS, writing
from .info import VideoInfo
from .metadata import add_track_metadata, drop_bad_timecode, fresh, needs_keys
from .photo.animation import OWN_FORMATS
from .pixels import FrameFormat, FrameWriter
from .placed import Placed
from .pyav_compat import set_default, set_duration, tag_colour
from .read import Frame
from .sidestreams import SideStreams
from .times.output import OutputClock

_FINEST = 90_000  # parts of a second: the clock of MPEG, which all players know
_LONGEST_REORDERING = 86400  # seconds between decoding and showing a frame beyond which the former is nonsense
_NO_TAGS = "ICC profiles and EXIF data of images are left out: a video holds none; write PNGs"


class VideoSink:
    """A sink that encodes frames under a temporary name, and renames the file when all went well."""

    def __init__(self, path: Path, info: VideoInfo, size: tuple[int, int], plan: EncoderPlan) -> None:
        self.path = path
        self.notes: list[str] = list(plan.notes)
        """What was not kept, one line each."""
        self.lost: dict[str, None] = {}
        """A sentence for each thing that could not be kept of the frames so far, in order."""
        self._info, self._size, self._plan = info, size, plan
        self._real_path = real_path(path)
        self._temporary = hidden_name(self._real_path, path.suffix)
        self._writer = FrameWriter(plan.target)
        self._clock = OutputClock(info, path.suffix.lower())
        self._end = Fraction(0)  # seconds, of the frames written so far
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._side: SideStreams | None = None

    @property
    def target(self) -> FrameFormat:
        """How the pictures are stored that the encoder gets."""
        return self._plan.target

    def __enter__(self) -> VideoSink:
        has_begun = False
        try:  # and no call after it: Ctrl-C between two calls would leave the file that has begun
            with writing(self.path):
                self._start()
            has_begun = True
        finally:
            if not has_begun:
                self._discard()
        return self

    def write(self, frame: Frame) -> None:
        """Encode a frame of the size given at opening. Raises VFEError where the disk is full."""
        self.put(self.part(frame), frame)

    def part(self, frame: Frame) -> VideoFrame:
        """Return the picture of a frame that the encoder is to get; it needs no open file."""
        height, width = frame.pixels.shape[-2:]
        assert (width, height) == self._size, f"frame is {width}x{height}, the sink was made for {self._size}"
        if frame.tags.icc is not None or frame.tags.exif is not None:
            self.lost[_NO_TAGS] = None
        return self._writer.write(frame.pixels, frame.alpha, frame.stored)

    def put(self, picture: VideoFrame, placed: Placed) -> None:
        """Encode the next picture. Raises VFEError where the disk is full."""
        assert self._stream is not None, "put() belongs inside the with block"
        tag_colour(picture, (self._info.color_primaries, self._info.color_transfer))
        picture.time_base = self._clock.time_base
        picture.pts, duration = self._clock.tick(placed)
        set_duration(picture, duration)
        self._end = (picture.pts + duration) * self._clock.time_base
        with writing(self.path):
            self._mux(self._stream.encode(picture))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        is_whole = False
        try:
            with writing(self.path):
                self._finish()
            is_whole = True
        finally:
            if not is_whole:
                self._discard()
        self.notes += [*self._clock.notes(), *self.lost]

    def _start(self) -> None:
        plan, (width, height) = self._plan, self._size
        options = _muxer_options(self.path, self._clock.time_base, self._info.metadata)
        self._container = av.open(f"file:{self._temporary}", "w", options=options)
        stream = self._container.add_stream(plan.encoder, rate=self._info.rate, options=plan.options)
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, plan.target.pix_fmt
        context.time_base = stream.time_base = self._clock.time_base
        context.sample_aspect_ratio = shown_aspect(self._info, self._size)
        context.color_range, context.colorspace = plan.target.color_range, plan.target.matrix
        context.color_primaries, context.color_trc = self._info.color_primaries, self._info.color_transfer
        context.flags |= Flags.frame_duration
        if plan.tag:
            context.codec_tag = plan.tag
        set_default(stream)
        if self._info.kind == "video" and self._info.container not in OWN_FORMATS and not self._info.is_piped:
            self.notes += add_track_metadata(stream, self._info.track_metadata, self._container, "the video")
            if self._info.is_part:
                self._container.metadata.update(fresh(self._info.metadata))
            else:
                self._side = SideStreams(self._info, self._container, self.path.suffix.lower(), self.notes)
            self.notes += drop_bad_timecode(self._container, stream, self._info.rate)
        self._container.start_encoding()
        self._stream = stream

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        assert self._container is not None
        for packet in packets:
            _mend_dts(packet)
            when = packet.dts if packet.dts is not None else packet.pts
            seconds = None if when is None else when * packet.time_base
            self._container.mux(packet)
            if self._side is not None and seconds is not None:
                self._side.copy_until(seconds)

    def _finish(self) -> None:
        assert self._container is not None and self._stream is not None
        self._mux(self._stream.encode(None))
        if self._side is not None:
            self._side.finish(self._end)
            self._side.close()
        container, self._container = self._container, None
        container.close()
        flush(self._temporary)  # so that, even where the power fails, the name is that of a whole file
        self._temporary.replace(self._real_path)

    def _discard(self) -> None:
        if self._side is not None:
            self._side.close()
        if self._container is not None:
            with suppress(*MEDIA_ERRORS):
                self._container.close()
        self._temporary.unlink(missing_ok=True)


def _muxer_options(path: Path, time_base: Fraction, metadata: Mapping[str, str]) -> dict[str, str]:
    if path.suffix.lower() == ".mkv":
        # Without the first, sound that starts 20 ms early (as AAC does) moves all times of a Matroska file; without
        # the second, it has random identifiers, and two runs of the same work give two files.
        return {"avoid_negative_ts": "disabled", "fflags": "+bitexact"}
    # The unit in which MP4 and MOV say how much later one stream starts than another; FFmpeg's is a millisecond.
    scale = {"movie_timescale": str(min(max(time_base.denominator, 1000), _FINEST))}
    return scale | ({"movflags": "use_metadata_tags"} if needs_keys(path.suffix.lower(), metadata) else {})


def _mend_dts(packet: Packet[VideoStream]) -> None:
    """Mend the decoding times that x265 takes from memory it never set, in clips of one or two frames.

    They need no reordering.
    """
    if packet.pts is not None and packet.dts is not None:
        if not 0 <= (packet.pts - packet.dts) * packet.time_base <= _LONGEST_REORDERING:
            packet.dts = packet.pts
