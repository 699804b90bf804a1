"""What is to be done for a film: it is planned, its segments are restored in any order, and then it is assembled."""

from __future__ import annotations

from collections import Counter, deque
from enum import Enum
from typing import NamedTuple

from ..jobs.records import TRIES
from ..jobs.request import JobRequest
from ..jobs.whole import WholeRun
from ..restore.restorer import RestoreReport


class Film(NamedTuple):
    """A source that is restored through a job."""

    request: JobRequest
    run: WholeRun


class Kind(Enum):
    """The kinds of tasks."""

    PLAN = "plan"
    SEGMENT = "segment"
    ASSEMBLE = "assemble"


class Task(NamedTuple):
    """A part of the work on a film that one worker does."""

    kind: Kind
    segment: int = 0


class Planned(NamedTuple):
    """The job of a film is there, or chunks of it turned out to be damaged."""

    segments: tuple[int, ...]
    """The segments that are to be restored."""
    done: int
    """The frames that are restored."""
    frames: int
    notes: tuple[str, ...] = ()


class Restored(NamedTuple):
    """A segment is done."""

    frames: int


class Assembled(NamedTuple):
    """The result is in its place."""

    report: RestoreReport


class Mishap(NamedTuple):
    """A task came to nothing."""

    reason: str
    is_final: bool = False
    """Whether another try would come to nothing too."""


Done = Planned | Restored | Assembled | Mishap


class FilmWork:
    """How far the work on one film is."""

    def __init__(self, film: Film) -> None:
        self.film = film
        self.waiting = deque([Task(Kind.PLAN)])
        self.done = 0
        """The frames that are restored."""
        self.frames: int | None = None
        self.notes: list[str] = []
        self.outcome: RestoreReport | Mishap | None = None
        """What became of it; None while it is worked on."""
        self._left = 0  # segments that are waiting or worked on
        self._tries: Counter[Task] = Counter()

    def take(self, task: Task, done: Done) -> None:
        """Note what came of a task, and let those wait that follow from it."""
        self._tries[task] += 1
        if isinstance(done, Mishap):
            self._take_mishap(task, done)
        elif isinstance(done, Planned):
            self._take_plan(task, done)
        elif isinstance(done, Restored):
            self.done += done.frames
            self._end_segment()
        else:
            self.outcome = done.report

    def _take_plan(self, task: Task, planned: Planned) -> None:
        if self._tries[task] > TRIES:  # of an assembly, whose chunks are damaged again and again
            self.outcome = Mishap("chunks are damaged again and again; check the disk")
            return
        self.done, self.frames, self._left = planned.done, planned.frames, len(planned.segments)
        self.notes += planned.notes
        self.waiting += [Task(Kind.SEGMENT, segment) for segment in planned.segments]
        if not self._left:
            self.waiting.append(Task(Kind.ASSEMBLE))

    def _take_mishap(self, task: Task, mishap: Mishap) -> None:
        if not mishap.is_final and self._tries[task] < TRIES:
            self.waiting.append(task)  # after all others: what is in its way may be gone by then
        elif task.kind is Kind.SEGMENT:
            self._end_segment()  # the rest goes on, and the assembly says what is missing
        else:
            self.outcome = mishap

    def _end_segment(self) -> None:
        self._left -= 1
        if not self._left:
            self.waiting.append(Task(Kind.ASSEMBLE))
