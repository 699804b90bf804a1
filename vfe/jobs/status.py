"""How far a job is: its segments, who works on them, how fast they are done, and what failed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from ..types import Stretch
from .records import TRIES, SegmentFiles


class State(Enum):
    """What became of a segment so far."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class SegmentStatus:
    """How far one segment is."""

    number: int
    stretch: Stretch
    state: State
    frames: int
    """The frames that are done."""
    rate: float | None
    """Frames per second; None where that is not known yet."""
    worker: str = ""
    failures: tuple[str, ...] = ()
    """Why each try failed."""


@dataclass(frozen=True)
class JobStatus:
    """How far a job is."""

    segments: tuple[SegmentStatus, ...]

    @property
    def frames(self) -> int:
        """The frames of the clip."""
        return self.segments[-1].stretch.stop

    @property
    def done(self) -> int:
        """The frames that are restored, those of segments that run among them."""
        return sum(segment.frames for segment in self.segments)

    @property
    def rate(self) -> float | None:
        """Frames per second of all that work now; where nobody does, of those that worked. None where none is known."""
        running = self._rates(State.RUNNING)
        if running:
            return sum(running)
        finished = self._rates(State.DONE)
        return sum(finished) / len(finished) if finished else None

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at that rate; None where that is not known."""
        return (self.frames - self.done) / self.rate if self.rate else None

    @property
    def failed(self) -> frozenset[int]:
        """The numbers of the segments that are marked as failed."""
        return frozenset(segment.number for segment in self.segments if segment.state is State.FAILED)

    def count(self, state: State) -> int:
        """Return how many segments are in a state."""
        return sum(segment.state is state for segment in self.segments)

    def _rates(self, state: State) -> list[float]:
        return [segment.rate for segment in self.segments if segment.state is state and segment.rate]


def status_of(segments: Sequence[tuple[Stretch, SegmentFiles]]) -> JobStatus:
    """Return how far the segments are. Chunks are not read: that they are sound is proved when they are used."""
    return JobStatus(tuple(_status(number, *segment) for number, segment in enumerate(segments)))


def _status(number: int, stretch: Stretch, files: SegmentFiles) -> SegmentStatus:
    failures, record = files.failures(), files.record()
    if record is not None:
        rate = record.frames / record.seconds if record.seconds > 0 else None
        return SegmentStatus(number, stretch, State.DONE, len(stretch), rate, record.worker, failures)
    held = files.held()
    if held is not None:
        seconds = time.time() - held.since
        done = max(0, min(held.frames, len(stretch)))
        rate = done / seconds if done and seconds > 0 else None
        return SegmentStatus(number, stretch, State.RUNNING, done, rate, str(held.worker), failures)
    state = State.FAILED if len(failures) >= TRIES else State.WAITING
    return SegmentStatus(number, stretch, state, 0, None, failures=failures)
