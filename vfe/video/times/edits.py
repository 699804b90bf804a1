"""MP4 files that lost the order of their frames but kept the edit list that goes with it.

Where frames are reordered, an encoder's edit list skips the time that the reordering takes. If a tool then drops the
composition offsets (`ctts`), the list seems to skip the first frames, and FFmpeg leaves them out. An edit list that
really trims a video is kept: its frames come out of the decoder in the order of their times.
"""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from pathlib import Path

from av.container import InputContainer

from ..boxes import Box, Read, find, opened
from ..decode import Damage, decode_frames
from ..files import open_video
from ..probe import video_stream

_LONGEST_LIST = 4096  # bytes
_SEARCHED_FRAMES = 48  # frames within which a reordering shows: three times as many as can be held back


def open_frames(path: Path) -> InputContainer:
    """Open a video to decode its frames, without an edit list that takes some of them away by mistake.

    Raises what FFmpeg raises.
    """
    container = open_video(path)
    if "mp4" not in container.format.name or not _skips_without_order(path) or not _reorders(path):
        return container
    container.close()
    return open_video(path, ignore_edits=True)


def _skips_without_order(path: Path) -> bool:
    """Return whether an edit list begins inside of a video whose frames have no composition offsets."""
    with opened(path) as (read, size):
        movie = next(find(read, 0, size, b"moov"), None)
        for track in find(read, movie.start, movie.end, b"trak") if movie else ():
            span = (read, track.start, track.end)
            kinds = [read(box.start + 8, 4) for box in find(*span, b"mdia", b"hdlr")]
            offsets = next(find(*span, b"mdia", b"minf", b"stbl", b"ctts"), None)
            edits = next(find(*span, b"edts", b"elst"), None)
            if kinds == [b"vide"] and offsets is None and edits is not None and _first_media_time(read, edits) > 0:
                return True
    return False


def _first_media_time(read: Read, edits: Box) -> int:
    """Return where in its own time a track begins to be shown; pauses before it have no such time (14496-12, 8.6.6)."""
    content = read(edits.start, min(edits.end - edits.start, _LONGEST_LIST))
    number = 8 if content[:1] == b"\1" else 4
    for at in range(8, len(content) - 2 * number + 1, 2 * number + 4):
        when = int.from_bytes(content[at + number : at + 2 * number], "big", signed=True)
        if when >= 0:
            return when
    return 0


def _reorders(path: Path) -> bool:
    """Return whether the first frames are shown in another order than they are decoded in."""
    damage = Damage()
    with open_video(path, ignore_edits=True) as container:
        with closing(decode_frames(container, video_stream(container, path), damage)) as frames:
            for _ in islice(frames, _SEARCHED_FRAMES):
                if damage.mixed_up:
                    return True
    return False
