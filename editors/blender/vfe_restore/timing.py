"""Which frames of its file a strip shows, and where a strip with other frames of that file must begin to show the same.

A strip has a content: the frames of its file less those that are skipped at the head and the tail. It is laid out from
`start` on, each frame of it one frame of the scene long unless the strip is played faster or slower, and the strip
shows the part of it between its offsets. All lengths are in frames of the scene unless something else is said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import NamedTuple

LARGEST_RATE = 1001
"""The largest denominator of a ratio of frame rates, such as 30000/1001 to 25."""


class Play(Enum):
    """How a strip goes through its content."""

    PLAIN = "frame by frame"
    BY_RATE = "at the speed at which frame rates of file and scene agree"
    FASTER = "at a constant speed"
    UNSURE = "frame by frame or by rate: nobody knows, and for a clip so short it is nearly the same"
    RETIMED = "at speeds that change"


class Frames(NamedTuple):
    """Frames of a file, from `first` to before `stop`; None is its end."""

    first: int
    stop: int | None

    def holds(self, other: Frames) -> bool:
        """Return whether all frames of `other` are among these."""
        if self.first > other.first:
            return False
        return self.stop is None or (other.stop is not None and other.stop <= self.stop)

    def with_other(self, other: Frames) -> Frames:
        """Return all frames from the first of both to the last of both."""
        stop = None if self.stop is None or other.stop is None else max(self.stop, other.stop)
        return Frames(min(self.first, other.first), stop)


@dataclass(frozen=True)
class Timing:
    """The times of a strip of a video or of numbered images."""

    start: float
    """Where its content begins in the scene."""
    offset: float
    """How much of the content is hidden at the head."""
    duration: int
    """How long it is shown."""
    length: int
    """The frames of its content, in frames of the file."""
    skipped: int = 0
    """The frames of the file before the content."""
    play: Play = Play.PLAIN
    speed: float = 1.0
    """The frames of the file that pass in a frame of the scene, if always as many."""
    strobe: float = 1.0
    """Each frame that is shown stays for so many frames."""
    is_reversed: bool = False

    @property
    def step(self) -> int:
        """The frames of the file by which the head of the content may be moved and every frame stay where it is.

        0 is never: then the head must stay.
        """
        if self.play is Play.PLAIN:
            return 1
        if self.play is Play.BY_RATE and not self.is_reversed:
            return Fraction(self.speed).limit_denominator(LARGEST_RATE).numerator
        return 0

    def shown(self) -> Frames:
        """Return the frames of the file that the strip shows."""
        if self.play is Play.RETIMED:
            return Frames(self.skipped, None)
        speeds = (self.speed, 1.0) if self.play is Play.UNSURE else (self.speed,)
        first = math.floor(self.offset * min(speeds) - (self.strobe - 1))
        stop = math.ceil((self.offset + self.duration) * max(speeds))
        first = min(max(0, first), self.length - 1)
        stop = max(min(stop, self.length), first + 1)
        if self.is_reversed:
            first, stop = self.length - stop, self.length - first
        return Frames(first + self.skipped, stop + self.skipped)

    def needed(self, handles: int) -> Frames:
        """Return the frames of the file that a result must have: those that are shown and handles at both ends.

        Where the head of the content cannot be moved, they begin there.
        """
        shown = self.shown()
        if shown.stop is None:
            return shown
        first, stop = max(self.skipped, shown.first - handles), min(self.skipped + self.length, shown.stop + handles)
        if self.is_reversed and self.step != 1:
            return Frames(self.skipped, None)
        moved = 0 if self.step == 0 else (first - self.skipped) // self.step * self.step
        return Frames(self.skipped + moved, stop)

    def fits(self, frames: Frames) -> bool:
        """Return whether a file with these frames can take the place of the strip's."""
        if not frames.holds(self.shown()):
            return False
        if self.play is Play.RETIMED or (self.is_reversed and self.step != 1):
            return frames == Frames(self.skipped, None)
        moved = frames.first - self.skipped
        return moved == 0 if self.step == 0 else moved % self.step == 0

    def moved(self, frames: Frames) -> float:
        """Return how much later the content begins of a strip that shows the same of a file with these frames."""
        if self.play is Play.RETIMED:
            return 0.0
        if self.is_reversed and frames.stop is not None:
            return self.skipped + self.length - frames.stop
        return 0.0 if self.is_reversed else (frames.first - self.skipped) / self.speed


def play_of(frames: int, length: float, speed: float) -> Play:
    """Return how a strip of a video goes through its `frames`, which lie in the scene with this length.

    `speed` is the frame rate of the file over that of the scene. Blender does not say whether it keeps to it, but the
    length tells, unless the clip is short.
    """
    if abs(speed - 1) < 1e-4 or frames <= 0:
        return Play.PLAIN
    by_rate = abs(length - frames / speed) <= 1
    plain = abs(length - frames) < 0.5
    if plain and by_rate:
        return Play.UNSURE
    return Play.PLAIN if plain else Play.BY_RATE if by_rate else Play.RETIMED
