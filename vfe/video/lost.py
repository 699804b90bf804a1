"""The times of a video in which frames are missing or have errors.

A pause is not a loss: where frames are further apart than usual, something nearby must have failed as well. What counts
as usual, and as near, is our own choice.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from typing import NamedTuple

_PAUSE = 0.5  # of the usual length of a frame: what there must be between two frames for one to be missing
_NEAR = 1.0  # seconds: decoders hold frames back, so that a failure comes before or after the pause that it makes
_NAMED = 3  # ranges that a note names


class TimeRange(NamedTuple):
    """A stretch of time, in seconds from the start of the file."""

    start: float
    end: float

    def __str__(self) -> str:
        return f"{_clock(self.start)} to {_clock(self.end)}"


class LostTimes:
    """Collects what is lost of a video while its frames are read."""

    def __init__(self, rate: Fraction, failures: Collection[float]) -> None:
        """`rate` is in frames per second. `failures` has the times, in seconds, at which packets failed lately; whoever
        decodes adds to it.
        """
        self.end = 0.0
        """Where the frames until now end, in seconds."""
        self._usual = float(1 / rate)
        self._failures = failures
        self._reached = 0.0  # as `end`, but no frame is shown for longer than usual
        self._was_broken = False
        self._ranges: list[TimeRange] = []

    def read(self, start: float, end: float, is_broken: bool) -> None:
        """Note the next frame, shown from `start` until `end` in seconds; a broken one has errors."""
        pause = TimeRange(self._reached, start)
        if self._is_wide(pause) and (is_broken or self._was_broken or self._failed_near(pause)):
            self._add(pause)
        self._reached, self.end, self._was_broken = min(start + self._usual, end), end, is_broken
        if is_broken:
            self._add(TimeRange(start, self._reached))

    def until(self, end: float) -> tuple[TimeRange, ...]:
        """Return what was lost of a video that should last until `end`, in seconds: in order, and ranges do not
        touch.
        """
        failed = max((when + self._usual for when in self._failures), default=0.0)
        rest = TimeRange(self._reached, max(end, failed))
        if self._is_wide(rest):
            self._add(rest)
        return tuple(self._ranges)

    def _is_wide(self, pause: TimeRange) -> bool:
        return pause.end - pause.start > _PAUSE * self._usual

    def _failed_near(self, pause: TimeRange) -> bool:
        return any(pause.start - _NEAR <= when <= pause.end + _NEAR for when in self._failures)

    def _add(self, lost: TimeRange) -> None:
        if self._ranges and not self._is_wide(TimeRange(self._ranges[-1].end, lost.start)):
            lost = TimeRange(self._ranges.pop().start, lost.end)
        self._ranges.append(lost)


def lost_notes(name: str, lost: tuple[TimeRange, ...]) -> list[str]:
    """Return a sentence on what was lost of a file, if anything was: the first ranges, and how many more there are."""
    if not lost:
        return []
    named, more = ", ".join(map(str, lost[:_NAMED])), len(lost) - _NAMED
    return [f"frames of {name} are missing or have errors at {named}" + (f" and {more} more times" if more > 0 else "")]


def _clock(seconds: float) -> str:
    """Return a time as h:mm:ss.mmm."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
