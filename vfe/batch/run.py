"""A batch from its first file to its last: which come, what is done with each, what becomes of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from .clips import Clip, Found
from .plan import Failed, FileTask, Made, Outcome, Planner
from .pool import Pool
from .worker import Progressed


class Noted(NamedTuple):
    """Something that a person should know."""

    text: str


class Ended(NamedTuple):
    """A file is done with."""

    name: Path
    outcome: Outcome
    output: Path | None = None


class Under(NamedTuple):
    """A file that is being restored, and how far it is."""

    name: Path
    progress: Progressed


Event = Noted | Ended | Under


class Arrivals(Protocol):
    """Where clips come from."""

    @property
    def have_ended(self) -> bool:
        """Whether no more will come."""
        ...

    @property
    def pause(self) -> float | None:
        """The seconds after which more may have come; None where the next end of a file is soon enough."""
        ...

    def next(self) -> Found | None:
        """Return what came since, if anything did."""
        ...


class Listed:
    """The clips of a folder as it is now."""

    have_ended = True
    pause = None

    def __init__(self, found: Found) -> None:
        self._found: Found | None = found

    def next(self) -> Found | None:
        """Return all of them, once."""
        found, self._found = self._found, None
        return found


def run_batch(planner: Planner, arrivals: Arrivals, pool: Pool) -> Iterator[Event]:
    """Restore what arrives, in its order, and yield what happens. A file that fails stops no other.

    Raises VFEError where no file can be restored, and OSError where the record cannot be written.
    """
    batch = _Batch(planner, pool)
    try:
        while True:
            yield from batch.take(arrivals.next())
            yield from batch.begin()
            if not pool.is_busy and not batch.waiting and arrivals.have_ended:
                return
            for task, report in pool.wait(arrivals.pause):
                yield batch.heard(task, report)
    finally:
        planner.release()


class _Batch:
    """The files that wait, and what was said already."""

    def __init__(self, planner: Planner, pool: Pool) -> None:
        self.planner, self.pool = planner, pool
        self.waiting: deque[Clip] = deque()
        self._said: set[object] = set()

    def take(self, found: Found | None) -> Iterator[Event]:
        """Let clips wait, and yield what else was found, each thing once."""
        if found is None:
            return
        self.waiting.extend(found.clips)
        events: list[Noted | Ended] = [Noted(note) for note in found.notes]
        events += [Ended(path, Failed(reason)) for path, reason in found.unread]
        for event in events:
            if event not in self._said:
                self._said.add(event)
                yield event

    def begin(self) -> Iterator[Ended]:
        """Begin with as many files as there is room for, and yield those that need nothing done or cannot be."""
        while self.waiting and self.pool.has_room:
            clip = self.waiting.popleft()
            planned = self.planner.plan(clip)
            failed = self.planner.begin(planned) if isinstance(planned, FileTask) else planned
            if failed is not None:
                yield Ended(clip.name, failed)
            elif isinstance(planned, FileTask):
                self.pool.submit(planned)

    def heard(self, task: FileTask, report: Progressed | Made | Failed) -> Event:
        """Return the event that a report is, and note what is at an end."""
        if isinstance(report, Progressed):
            self.planner.heard(task)
            return Under(task.clip.name, report)
        return Ended(task.clip.name, self.planner.end(task, report), task.output)
