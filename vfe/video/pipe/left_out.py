"""What a file holds beside its picture, which no pipe carries."""

from __future__ import annotations

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from ..errors import reading
from ..files import open_video
from ..info import VideoInfo
from ..metadata import UNDETERMINED, fresh
from ..photo.animation import OWN_FORMATS
from ..probe import video_stream
from ..pyav_compat import has_chapters

_NAMES = {
    "audio": "sound",
    "subtitle": "subtitles",
    "attachment": "attachments",
    "data": "data streams",
    "unknown": "unknown streams",
}


def left_out(info: VideoInfo) -> list[str]:
    """Return the sentence on what Y4M leaves out of a file; none where there is nothing but its picture.

    Raises VFEError for a file that cannot be read.
    """
    if info.kind != "video" or info.container in OWN_FORMATS or info.is_piped or info.is_part:
        return []
    with reading(info.path), open_video(info.path) as container:
        found = _beside(container, video_stream(container, info.path, info.stream))
    found += ["metadata"] if fresh(info.metadata) or _names_track(info) else []
    if not found:
        return []
    *first, last = found
    return [f"left out, for Y4M holds pictures alone: {' and '.join(filter(None, (', '.join(first), last)))}"]


def _beside(container: InputContainer, restored: VideoStream) -> list[str]:
    """Return words for the streams beside the restored one and for chapters, each once."""
    others = [stream for stream in container.streams if stream is not restored]
    names = [
        ("cover art" if stream.disposition & Disposition.attached_pic else "further videos")
        if isinstance(stream, VideoStream)
        else _NAMES[stream.type]
        for stream in others
        if isinstance(stream, VideoStream) or stream.type in _NAMES
    ]
    return [*dict.fromkeys(names), *(["chapters"] if has_chapters(container) else [])]


def _names_track(info: VideoInfo) -> bool:
    """Return whether the track of the picture has a title or a language."""
    track = fresh(info.track_metadata)
    return "title" in track or track.get("language", UNDETERMINED) != UNDETERMINED
