"""What is to be done for a film: it is planned, its segments are restored in any order, and then it is assembled."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from ..jobs.layout import ASSEMBLY
from ..jobs.records import TRIES, SegmentFiles
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
    given_up: tuple[int, ...] = ()
    """Of an assembly: the segments that came to nothing, and are not to be tried again."""


@dataclass(frozen=True)
class Planned:
    """The job of a film is there, or chunks of it turned out to be damaged."""

    left: Mapping[int, str]
    """The numbers of the segments that are to be restored, and their ids."""
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
    is_noted: bool = False
    """Whether the folder of the job says so."""


Done = Planned | Restored | Assembled | Mishap


class FilmWork:
    """How far the work on one film is."""

    def __init__(self, film: Film) -> None:
        self.film = film
        self.waiting = deque([Task(Kind.PLAN)])
        self.frames: int | None = None
        """Of the film; None until it is planned."""
        self.notes: list[str] = []
        self.outcome: RestoreReport | Mishap | None = None
        """What became of it; None while it is worked on."""
        self._began = time.perf_counter()
        self._goes_on = False  # with what an earlier run did
        self._done = 0  # frames of segments that are restored
        self._ids: dict[int, str] = {}
        self._left: set[int] = set()  # segments that are waiting or worked on
        self._given_up: set[int] = set()
        self._tries: Counter[Task] = Counter()
        self._begun: list[Task] = []

    @property
    def done(self) -> int:
        """The frames that are restored, also of segments that workers are at; while it is assembled, those written."""
        segments = [self._ids[task.segment] for task in self._begun if task.kind is Kind.SEGMENT]
        if any(task.kind is Kind.ASSEMBLE for task in self._begun):
            return self._under_way(ASSEMBLY)
        return self._done + sum(map(self._under_way, segments))

    def begin(self) -> Task:
        """Return the task that waits first, which a worker begins with."""
        task = self.waiting.popleft()
        self._begun.append(task)
        return task

    def take(self, task: Task, done: Done) -> None:
        """Note what came of a task that was begun, and let those wait that follow from it."""
        self._begun.remove(task)
        self._tries[task] += 1
        if isinstance(done, Mishap):
            self._take_mishap(task, done)
        elif isinstance(done, Planned):
            self._take_plan(task, done)
        elif isinstance(done, Restored):
            self._done += done.frames
            self._end_segment(task.segment)
        else:
            # Of a job that is gone on with, the seconds are those of its segments: this run did not restore them all.
            is_new = task.kind is Kind.ASSEMBLE and not self._goes_on
            self.outcome = replace(done.report, seconds=time.perf_counter() - self._began) if is_new else done.report

    def _take_plan(self, task: Task, planned: Planned) -> None:
        if self._tries[task] > TRIES:  # of an assembly, whose chunks are damaged again and again
            self.outcome = Mishap("chunks are damaged again and again; check the disk")
            return
        if task.kind is Kind.PLAN and planned.done:
            self._goes_on = True
        self._done, self.frames = planned.done, planned.frames
        self._ids, self._left = dict(planned.left), set(planned.left)
        self.notes += planned.notes
        self.waiting += [Task(Kind.SEGMENT, segment) for segment in planned.left]
        if not self._left:
            self._assemble()

    def _take_mishap(self, task: Task, mishap: Mishap) -> None:
        if task.kind is Kind.SEGMENT and not mishap.is_noted:
            with suppress(OSError):  # on a full disk, say, of which the end of the run tells too
                self._files(self._ids[task.segment]).fail(mishap.reason)
        if not mishap.is_final and self._tries[task] < TRIES:
            self.waiting.append(task)  # after all others: what is in its way may be gone by then
        elif task.kind is Kind.SEGMENT:
            self._given_up.add(task.segment)
            self._end_segment(task.segment)  # the rest goes on, and the assembly says what is missing
        else:
            self.outcome = mishap

    def _end_segment(self, segment: int) -> None:
        self._left.remove(segment)
        if not self._left:
            self._assemble()

    def _assemble(self) -> None:
        self.waiting.append(Task(Kind.ASSEMBLE, given_up=tuple(sorted(self._given_up))))

    def _under_way(self, held_id: str) -> int:
        """Return how many frames of a segment, or of the output, are done, as the job's folder has it."""
        held = self._files(held_id).held()
        return 0 if held is None else held.frames

    def _files(self, segment_id: str) -> SegmentFiles:
        return SegmentFiles(self.film.run.folder, segment_id)
