"""One range of a timeline as an input for the restorer."""

from __future__ import annotations

from pathlib import Path

from ..timeline.cutting import part_of, pictures_of
from ..timeline.results import Result
from ..timeline.timecode import Timecode, timecode_text
from ..types import Progress


def part_for(result: Result, work: Path, on_progress: Progress) -> Path:
    """Return the file that stands for the stretch of a result. Raises VFEError for what cannot be read or written."""
    media = result.media
    table = pictures_of(media, result.stretch.stop - 1, work, on_progress)

    def timecode(frame: int) -> str | None:
        first = media.timecode or Timecode(max(0, round(result.clips[0].origin)), False)
        return timecode_text(Timecode(first.frames + frame, first.drops), media.fps)

    return part_of(media, result.stretch, table, timecode)
