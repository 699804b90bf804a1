"""A span of the time of a video: its pictures alone, whose times count from the first of them.

What lies long before the span is not read where the file can be sought in.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

from av.video.frame import VideoFrame

from ..types import TimeSpan, VFEError
from .decode import Damage, decode_frames
from .errors import reading
from .frame import Decoded
from .info import VideoInfo
from .photo.animation import OWN_FORMATS
from .pixels import FrameReader
from .probe import probe, video_stream
from .read import Source, interlaced_note
from .seek import go_before
from .times.edits import open_frames
from .times.length import with_lengths
from .times.timeline import times_may_jump

LEAD_SECONDS = 1.0
"""How long before a span reading starts, at the least: our own choice. The first frames after a key frame may show
others that lie before it."""


def open_span(path: Path, span: TimeSpan) -> SpanSource:
    """Open a span of a video. Raises VFEError where it is none, and where it ends before the span begins."""
    info = probe(path)
    if info.kind != "video" or info.container in OWN_FORMATS:
        raise VFEError(f"{path}: is no video file, of which alone a span can be taken; name the images that you want")
    seconds = info.duration if info.frames is None else float(info.frames / info.rate)
    if seconds is not None and span.start >= seconds:
        raise VFEError(f"{path}: lasts {seconds:.3f} s, the span begins at {span.start:.3f} s; let it begin earlier")
    return SpanSource(info, span, seconds)


class SpanSource(Source):
    """The frames that begin within a span of the time of a video."""

    def __init__(self, info: VideoInfo, span: TimeSpan, seconds: float | None) -> None:
        """`seconds` is the length of the whole video, where it is known."""
        super().__init__(_info_of(info, span, seconds))
        self._span = span
        if info.audio or info.subtitles:
            self.notes.append("sound, subtitles and chapters are left out of a span")

    def _from_start(self) -> Generator[Decoded, None, None]:
        reader = FrameReader(self.info.color_space, self.info.color_range)
        self._tags = self._video_tags()
        start, woven, broken, count = None, 0, 0, 0
        with reading(self.info.path), closing(self._inside()) as frames:
            for frame, length in frames:
                assert frame.pts is not None
                start = frame.pts if start is None else start
                frame.pts -= start
                count, woven, broken = count + 1, woven + frame.interlaced_frame, broken + frame.is_corrupt
                yield self._picture(frame, length, reader)
        if not count:
            raise VFEError(f"{self.info.path}: no frame begins within the span; needed is a longer one")
        if broken:
            self._tell(f"{broken} of {count} frames of the span have errors")
        if woven:
            self._tell(f"{interlaced_note(woven, count)}, as progressive")

    def _inside(self) -> Generator[tuple[VideoFrame, int], None, None]:
        """Yield the frames of the span, with how long they are shown; their times are those in the whole video."""
        first = self._first_time()
        begin = first + _exact(self._span.start)
        end = None if self._span.end is None else first + _exact(self._span.end)
        for seeks in (True, False):
            with closing(self._decoded(begin - Fraction(LEAD_SECONDS), seeks=seeks)) as frames:
                before = next(frames, None)
                if seeks and (before is None or _time(before[0]) > begin):
                    continue  # the way through the whole file remains
                for frame, length in _again(before, frames):
                    if end is not None and _time(frame) >= end:
                        return
                    if _time(frame) >= begin:
                        yield frame, length
                return

    def _first_time(self) -> Fraction:
        """Return when the first frame of the video is shown, in seconds."""
        with closing(self._decoded(Fraction(0), seeks=False)) as frames:
            first = next(islice(frames, 1), None)
        if first is None:
            raise VFEError(f"{self.info.path}: no frame can be decoded; needed is a whole video")
        return _time(first[0])

    def _decoded(self, when: Fraction, *, seeks: bool) -> Generator[tuple[VideoFrame, int], None, None]:
        """Yield frames from the start on or, where it `seeks` and can, from before `when`, in seconds."""
        with open_frames(self.info.path) as container:
            stream, damage = video_stream(container, self.info.path, self.info.stream), Damage()
            if seeks and (not stream.time_base or times_may_jump(container)):
                return
            if seeks and not go_before(container, stream, max(0, round(when / stream.time_base))):  # type: ignore[operator]
                return
            with closing(decode_frames(container, stream, damage)) as frames:
                yield from with_lengths(frames, self.info.rate, damage)


def _again(
    first: tuple[VideoFrame, int] | None, rest: Iterator[tuple[VideoFrame, int]]
) -> Iterator[tuple[VideoFrame, int]]:
    if first is not None:
        yield first
        yield from rest


def _exact(seconds: float) -> Fraction:
    """Return the time that was meant: 0.4 is 2/5 of a second, and not a little more."""
    return Fraction(seconds).limit_denominator(1_000_000)


def _time(frame: VideoFrame) -> Fraction:
    return Fraction(frame.pts or 0) * (frame.time_base or 0)


def _info_of(info: VideoInfo, span: TimeSpan, seconds: float | None) -> VideoInfo:
    """Return what a span of a video is; nobody knows its time code."""
    ends = [end for end in (span.end, seconds) if end is not None]
    length = min(ends) - span.start if ends else None
    frames = None if length is None else max(1, round(length * float(info.rate)))
    track = {name: text for name, text in info.track_metadata.items() if name != "timecode"}
    whole = {name: text for name, text in info.metadata.items() if name != "timecode"}
    return replace(info, is_part=True, frames=frames, duration=length, metadata=whole, track_metadata=track)
