"""What a live run measures of itself: frames a second, the share of dropped frames, and the delay."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass

SECONDS_SHOWN = 5.0
"""Figures are of the last so many seconds, for people want to know how it goes now."""


@dataclass(frozen=True)
class LiveFigures:
    """What a live run did in the last seconds and, where it says so, in all."""

    seconds: float
    """How long the run has gone on."""
    frames_in: int
    """Frames that the input gave, in all."""
    frames_out: int
    """Frames that went out, in all."""
    frames_dropped: int
    """Frames that did not and will not go out, in all."""
    fps_in: float
    fps_out: float
    dropped_share: float
    """The share of frames that were dropped, 0 to 1, among those of the last seconds whose fate is known."""
    delay_ms: float
    """The median milliseconds from when the input gave a frame to when it went out."""
    worst_delay_ms: float
    """The 95th percentile of the same."""
    faces: int
    """Faces that were restored in the latest frames."""
    restoring_ms: float
    """The median milliseconds in which the faces of a group of frames were restored."""

    def as_dict(self) -> dict[str, float]:
        """Return the figures by their names, rounded to what can be measured."""
        return {name: round(value, 3) for name, value in asdict(self).items()}

    def as_line(self) -> str:
        """Return the figures as a line for people."""
        faces = f"{self.faces} face{'' if self.faces == 1 else 's'}"
        return (
            f"{self.fps_out:.1f} of {self.fps_in:.1f} frames/s, delay {self.delay_ms:.0f} ms "
            f"(95 %: {self.worst_delay_ms:.0f} ms), {100 * self.dropped_share:.0f} % dropped, {faces}"
        )


class Meter:
    """Counts what happens to frames, from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._in = self._out = self._dropped = self._faces = 0
        self._came: deque[float] = deque()
        self._lost: deque[float] = deque()
        self._went: deque[tuple[float, float]] = deque()  # when, and the delay
        self._groups: deque[tuple[float, float]] = deque()  # when, and the seconds of restoring

    def begin(self) -> None:
        """The run begins now."""
        with self._lock:
            self._began = self._clock()

    def came(self) -> None:
        """The input gave a frame."""
        with self._lock:
            self._in += 1
            self._came.append(self._clock())

    def went(self, taken: float) -> None:
        """A frame went out that was taken at this time of the clock."""
        with self._lock:
            now = self._clock()
            self._out += 1
            self._went.append((now, now - taken))

    def dropped(self, frames: int = 1) -> None:
        """So many frames will not go out."""
        with self._lock:
            self._dropped += frames
            self._lost.extend([self._clock()] * frames)

    def restored(self, faces: int, seconds: float) -> None:
        """A group of frames with so many faces was restored in so many seconds."""
        with self._lock:
            self._faces = faces
            self._groups.append((self._clock(), seconds))

    def figures(self) -> LiveFigures:
        """Return the figures as they are now."""
        with self._lock:
            now = self._clock()
            since = now - SECONDS_SHOWN
            for times in (self._came, self._lost):
                while times and times[0] < since:
                    times.popleft()
            for pairs in (self._went, self._groups):
                while pairs and pairs[0][0] < since:
                    pairs.popleft()
            passed = now - self._began
            shown = max(min(passed, SECONDS_SHOWN), 1e-3)
            known = len(self._went) + len(self._lost)
            delays = sorted(delay for _, delay in self._went)
            return LiveFigures(
                seconds=passed,
                frames_in=self._in,
                frames_out=self._out,
                frames_dropped=self._dropped,
                fps_in=len(self._came) / shown,
                fps_out=len(self._went) / shown,
                dropped_share=len(self._lost) / known if known else 0.0,
                delay_ms=1000 * _at(delays, 0.5),
                worst_delay_ms=1000 * _at(delays, 0.95),
                faces=self._faces,
                restoring_ms=1000 * _at(sorted(seconds for _, seconds in self._groups), 0.5),
            )


def _at(values: list[float], share: float) -> float:
    """Return the value of sorted ones below which this share of them lies; 0 where there is none."""
    return values[min(int(share * len(values)), len(values) - 1)] if values else 0.0
