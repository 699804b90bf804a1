"""Frames of a video from the middle on. What is read is only proposed: who asks compares it with a table of frames."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .decode import Damage, decode_frames
from .errors import MEDIA_ERRORS
from .frame_table import FrameTable
from .info import VideoInfo
from .probe import video_stream
from .times.edits import open_frames
from .times.timeline import Timeline, used_streams

LEADS = (1, 60, 250)
"""Frames before the wanted one at which reading starts, one after the other until that goes well.

Seeking in a broadcast ends between two key frames, and frames that are refreshed little by little have none. The key
frames of broadcasts are less than 60 frames apart, those of x264 are 250 if nobody says another number.
"""


def seek_frames(info: VideoInfo, number: int, lead: int, table: FrameTable) -> Generator[VideoFrame, None, None]:
    """Yield the frames of a video from `number` on, with the times of the table, as far as seeking finds them.

    It seeks to the key frame before the one that comes `lead` frames earlier. Raises what FFmpeg raises when it opens
    the file.
    """
    assert table.pts is not None
    with open_frames(info.path) as container:
        stream = video_stream(container, info.path, info.stream)
        if not go_before(container, stream, table.pts[max(0, number - lead)]):
            return
        with closing(decode_frames(container, stream, Damage())) as frames:
            for frame, pts in zip(_come_upon(frames, number, table), table.pts[number:], strict=False):
                frame.pts = pts
                yield frame


def go_before(container: InputContainer, stream: VideoStream, pts: int) -> bool:
    """Go to the key frame before a time that counts from the start of the file; return whether that can be done."""
    if stream.start_time is None or not stream.time_base:  # a raw stream, which has no times
        return False
    origin = Timeline(container, used_streams(container, stream)).from_start(0, stream.time_base)
    try:
        container.seek(pts - origin, stream=stream)
    except MEDIA_ERRORS:
        return False
    return True


def _come_upon(frames: Iterable[VideoFrame], number: int, table: FrameTable) -> Iterator[VideoFrame]:
    """Yield the frames from the one on that has the time of frame `number`; none where their times are not those of
    the table, as after a jump that is not known to who did not read it.
    """
    found = False
    for frame in frames:
        if not found:
            place = None if frame.pts is None else table.place(frame.pts)
            if place is None or place > number:
                return
            found = place == number
        if found:
            yield frame
