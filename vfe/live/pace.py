"""How often frames are let in, where the input gives more than can be restored: evenly, not in bursts."""

from __future__ import annotations

SPARE = 1.03
"""By so much less is let in than was just restored in the same time, so that no group has to be thrown away."""
MEMORY = 0.7
"""The weight of what was known when a new measurement comes."""


class Admission:
    """Decides which frames are restored. A frame that is not let in is dropped."""

    def __init__(self) -> None:
        self._interval = 0.0  # seconds that the restoring of a frame takes
        self._due = 0.0  # when the next frame is let in
        self._last: float | None = None  # when the input gave its last frame
        self._step = 0.0  # seconds from one frame of the input to the next

    def took(self, seconds: float) -> None:
        """Learn that one frame of a group was restored in so many seconds."""
        self._interval = seconds if not self._interval else MEMORY * self._interval + (1 - MEMORY) * seconds

    def lets_in(self, taken: float) -> bool:
        """Return whether a frame is restored that the input gave at this time, in seconds."""
        if self._last is not None:
            self._step = taken - self._last
        self._last = taken
        if taken + self._step / 2 < self._due:
            return False
        self._due = max(self._due + SPARE * self._interval, taken)
        return True
