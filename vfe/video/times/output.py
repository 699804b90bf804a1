"""The times of the frames of an output: those of the source, exactly, within what the container can hold."""

from __future__ import annotations

import math
from fractions import Fraction

from ..info import VideoInfo
from ..placed import Placed


class OutputClock:
    """Hands out increasing times, also for frames of a caller that have none, or have others."""

    def __init__(self, info: VideoInfo, suffix: str) -> None:
        self.time_base = info.time_base if info.kind == "video" else 1 / info.rate
        self._step = max(1, math.floor(1 / (info.rate * self.time_base)))
        self._longest = None if suffix == ".mkv" else _longest_in_mp4(self.time_base)
        self._last: int | None = None
        self._mended = 0
        self._taken = 0

    def tick(self, placed: Placed) -> tuple[int, int]:
        """Return (pts, duration) of the next frame in units of `time_base`."""
        following = 0 if self._last is None else self._last + self._step
        pts = following if placed.pts is None else self._convert(placed.pts, placed) - self._taken
        if self._last is not None and pts <= self._last:
            pts = self._last + 1
            self._mended += 1
        if self._last is not None and self._longest is not None and pts - self._last > self._longest:
            self._taken += pts - following
            pts = following
        self._last = pts
        duration = self._step if placed.duration is None else self._convert(placed.duration, placed)
        return pts, max(1, min(duration, self._longest or duration))

    def notes(self) -> list[str]:
        """Return sentences on what was changed about the times."""
        notes = [f"{self._mended} frame times did not increase and were moved"] if self._mended else []
        if self._taken:
            seconds = round(self._taken * self.time_base)
            notes.append(f"pauses of {seconds} s between frames are left out: MP4 and MOV hold none so long, MKV does")
        return notes

    def _convert(self, ticks: int, placed: Placed) -> int:
        return ticks if placed.time_base in (None, self.time_base) else round(ticks * placed.time_base / self.time_base)


def _longest_in_mp4(time_base: Fraction) -> int:
    """Return for how many units MP4 can show a frame: 31 bits of a unit that FFmpeg makes at least as fine as 1/10000
    s.
    """
    finer = max(0, math.ceil(math.log2(10_000 / time_base.denominator)))
    longest = Fraction(2**31 - 1, time_base.denominator << finer)
    return max(1, math.floor(longest / time_base))
