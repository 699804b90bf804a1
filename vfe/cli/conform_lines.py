"""What `vfe conform` says: a table of what is restored, and which clips stay as they are, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .job import table
from .text import one_line_name

if TYPE_CHECKING:
    from ..timeline.results import Result
    from ..timeline.sorting import Sorted

_HEAD = ("source", "frames", "of", "clips", "result")
_NAMED = 5  # clips that a line names


def table_lines(results: list[Result], clips: Sorted) -> list[str]:
    """Return a row for each range of a source, and lines on the other clips."""
    lines = table([_HEAD, *map(_row, results)]) if results else []
    new = [len(result.stretch) for result in results if not result.is_done]
    if new:
        lines.append(f"{len(new)} range{'s' * (len(new) != 1)} of {sum(new)} frames to be restored")
    reasons: dict[str, list[str]] = {}
    for clip in clips.alone:
        reasons.setdefault(clip.reason, []).append(_visible(clip.name) or "(no name)")
    for reason, names in reasons.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        lines.append(f"left as it is, {reason}: {', '.join(names[:_NAMED])}{more}")
    for missing in clips.missing.values():
        many = f"{missing.clips} clip{'s' * (missing.clips != 1)}"
        lines.append(f"missing, for {many}: {_visible(missing.name)}: {_visible(missing.reason)}")
    return lines


def result_line(result: Result, frames: int, seconds: float) -> str:
    """Return what was restored, in one line."""
    rate = f", {frames / seconds:.1f} frames/s" if seconds > 0 else ""
    plural = "" if frames == 1 else "s"
    return f"{one_line_name(result.output)}: {frames} frame{plural} in {seconds:.1f} s{rate}"


def _row(result: Result) -> tuple[str, ...]:
    frames = f"{result.stretch.start}-{result.stretch.stop - 1}"
    where = "done before: " * result.is_done + _visible(result.output.name)
    where = "no face to restore" if result.is_empty else where
    return _visible(result.media.path.name), frames, str(result.media.frames), str(len(result.clips)), where


def _visible(text: str) -> str:
    """Return a text of a timeline with what is no visible character escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
