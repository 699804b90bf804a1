"""What a metric is: it sees the moments of a clip in turn and says one figure, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from ..report.even import EvenSample
from .moment import Moment

MOST_POINTS = 400
"""A curve over the frames of a clip keeps no more points, evenly spaced, so that memory is bounded."""

Better = Literal["higher", "lower", "one", "zero"]
"""Which figures are better: higher or lower ones, or those near 1 or 0."""


class Figure(NamedTuple):
    """A figure that a metric gives."""

    name: str
    """As in tables and files."""
    better: Better
    unit: str = ""
    net: str = ""
    """The network that measures, where one does: figures of different ones must not be compared."""


class Scored(NamedTuple):
    """A figure of one clip."""

    value: float
    """NaN where there is none."""
    why: str = ""
    """Why there is none, or what to know about it."""
    curve: Sequence[tuple[int, float]] = ()
    """Frames and their values, where the figure has any."""


class ScoredClip(NamedTuple):
    """What a metric may know of a clip before it sees it."""

    path: Path
    frames_are_files: bool
    """Whether it is a folder of images, no video."""


class Metric(Protocol):
    """One figure of clips, one after the other."""

    figure: Figure

    def begin(self, clip: ScoredClip) -> None:
        """Start with a clip; nothing of the one before may be left."""

    def see(self, moment: Moment) -> None:
        """See the next frame of the clip."""

    def scored(self) -> Scored:
        """Return the figure of the clip that was seen."""


class OfSet:
    """Marks a metric whose figure is of all clips together."""

    def of_set(self) -> Scored:
        """Return the figure of all clips that were seen."""
        raise NotImplementedError


@dataclass
class Mean:
    """A mean over frames, and the curve of the values."""

    total: float = 0.0
    count: int = 0
    curve: EvenSample[float] = field(default_factory=lambda: EvenSample(MOST_POINTS))
    missing: int = 0
    """Frames that had no value."""

    def add(self, number: int, value: float) -> None:
        """Take the value of a frame."""
        self.total += value
        self.count += 1
        if self.curve.wants(number):
            self.curve.add(number, value)

    def scored(self, why: str) -> Scored:
        """Return the mean; `why` is said where no frame, or not every one, had a value."""
        if not self.count:
            return Scored(math.nan, why)
        note = f"{self.missing} of {self.count + self.missing} frames left out: {why}" if self.missing else ""
        return Scored(self.total / self.count, note, self.curve.kept)


class Missing:
    """Stands in for a metric that cannot be measured, so that it is told and not left out."""

    def __init__(self, figure: Figure, why: str) -> None:
        self.figure, self.why = figure, why

    def begin(self, clip: ScoredClip) -> None:
        """Do nothing."""

    def see(self, moment: Moment) -> None:
        """Do nothing."""

    def scored(self) -> Scored:
        """Return NaN and the reason."""
        return Scored(math.nan, self.why)


class OfFrames:
    """A metric that is the mean of a value of each frame; `value` gives it, None where a frame has none."""

    figure: Figure
    why = "no frame of the clip has one"
    """What is said of frames without a value."""

    def begin(self, clip: ScoredClip) -> None:  # noqa: ARG002 - as every metric
        """Start with a clip."""
        self._mean = Mean()

    def see(self, moment: Moment) -> None:
        """Take the value of the frame."""
        value = self.value(moment)
        if value is None:
            self._mean.missing += 1
        else:
            self._mean.add(moment.number, value)

    def scored(self) -> Scored:
        """Return the mean."""
        return self._mean.scored(self.why)

    def value(self, moment: Moment) -> float | None:
        """Return the value of a frame."""
        raise NotImplementedError


class OfSomeFrames(OfFrames):
    """As `OfFrames`, of every so-manieth frame: for networks that take long."""

    def __init__(self, every: int) -> None:
        self._every = every

    def see(self, moment: Moment) -> None:
        """Take the value of the frame, if it is due."""
        if moment.number % self._every == 0:
            super().see(moment)
