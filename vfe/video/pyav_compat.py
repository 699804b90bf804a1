"""What PyAV before 17.1 lacks, so that the package runs in environments that hold an older one, as those of
ComfyUI do.
"""

from __future__ import annotations

import av
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream
from av.subtitles.codeccontext import SubtitleCodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from .colour import BT601_625, BT709, FULL, UNSPECIFIED
from .times.timeline import Timeline

_BEFORE_17 = int(av.__version__.split(".")[0]) < 17

ONE_THREAD: dict[str, int] = {} if _BEFORE_17 else {"threads": 1}
"""Arguments of VideoReformatter.reformat: at our sizes, handing out slices costs more than it saves.

Older versions have just one thread.
"""


def source_colours(matrix: int | None, color_range: int) -> dict[str, int]:
    """Return the arguments of VideoReformatter.reformat that say what the source is, on the way to full-range RGB.

    `matrix` is that of YUV, and None for RGB and grey, which are copied as they are. Older versions do not ask the
    frame for its range, and take the matrix only where that of the other side differs.
    """
    if not _BEFORE_17:
        return {}
    if matrix is None:
        return {"src_color_range": FULL}
    return {"src_color_range": color_range, "dst_colorspace": BT709 if matrix == BT601_625 else BT601_625}


def frame_duration(frame: VideoFrame) -> int | None:
    """Return how long a frame is shown in its time base; None where nothing is said, as before PyAV 15."""
    return getattr(frame, "duration", None) or None


def set_duration(frame: VideoFrame, duration: int) -> None:
    """Say how long a frame is shown, in its time base; PyAV before 15 leaves that to the next frame's time."""
    if hasattr(frame, "duration"):
        frame.duration = duration


def colour_tags(frame: VideoFrame, stream: VideoCodecContext | None) -> tuple[int, int]:
    """Return (primaries, transfer) of a frame as code points, or those of its stream where frames do not say."""
    if hasattr(frame, "color_primaries"):
        return frame.color_primaries, frame.color_trc
    return (stream.color_primaries, stream.color_trc) if stream is not None else (UNSPECIFIED, UNSPECIFIED)


def tag_colour(frame: VideoFrame, tags: tuple[int, int]) -> None:
    """Set (primaries, transfer) of a frame; where frames cannot say, those of the encoder hold alone."""
    if hasattr(frame, "color_primaries"):
        frame.color_primaries, frame.color_trc = tags


def copy_chapters(source: InputContainer, target: OutputContainer, timeline: Timeline) -> str | None:
    """Copy the chapters, moved as the streams are; return a sentence where this PyAV cannot."""
    if not hasattr(target, "set_chapters"):
        matroska = "matroska" in source.format.name  # only guessed: this PyAV cannot read chapters either
        return "chapters, if there are any, are left out: they need PyAV 16 or newer" if matroska else None
    chapters = source.chapters()
    for chapter in chapters:
        unit = chapter["time_base"]
        if unit:
            chapter["start"] = max(0, timeline.from_start(chapter["start"], unit))
            chapter["end"] = max(0, timeline.from_start(chapter["end"], unit))
    if chapters:
        target.set_chapters(chapters)
    return None


def has_chapters(source: InputContainer) -> bool:
    """Return whether a file has chapters; PyAV before 16 cannot read them, and none are seen."""
    return hasattr(source, "chapters") and bool(source.chapters())


def copy_disposition(source: Stream, target: Stream) -> None:
    """Copy whether a stream is the default, forced, for the deaf, and so on; PyAV before 17.1 takes a number only."""
    target.disposition = Disposition(source.disposition).value  # type: ignore[assignment]


def set_default(stream: Stream, default: bool = True) -> None:
    """Say whether players show a stream where nobody chose one, and nothing else about it."""
    stream.disposition = (Disposition.default if default else Disposition(0)).value  # type: ignore[assignment]


def subtitle_header(subtitles: SubtitleCodecContext) -> bytes:
    """Return the header of text subtitles. Raises ValueError where there is none or this PyAV does not tell."""
    if not hasattr(subtitles, "subtitle_header"):
        raise ValueError("converting them needs PyAV 17.1 or newer")
    if not subtitles.subtitle_header:
        raise ValueError("they are pictures")
    return subtitles.subtitle_header
