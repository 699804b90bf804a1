"""The actor: a process on some machine of the cluster, which loads a model once and does one task after the other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from ..jobs.job import Job
from ..jobs.missing import SegmentsMissing
from ..jobs.request import ModelRequest
from ..jobs.status import State
from ..jobs.whole import begin, gaps_note
from ..jobs.work import TryFailed
from ..restore.restorer import Restorer
from ..types import VFEError, no_progress
from .tasks import Assembled, Done, Film, Kind, Mishap, Planned, Restored, Task

_MISHAPS = (OSError, MemoryError, RuntimeError)
"""What goes wrong for reasons that another machine may not meet. PyTorch's errors are RuntimeErrors."""


class Worker:
    """Does tasks. Frames stay in its process, and on the disk that all machines see."""

    def __init__(self) -> None:
        self._model: ModelRequest | None = None
        self._restorer: Restorer | None = None

    def do(self, film: Film, task: Task) -> Done:
        """Do a task; what goes wrong with it is said in a line."""
        steps = {Kind.PLAN: self._plan, Kind.SEGMENT: self._restore, Kind.ASSEMBLE: self._assemble}
        try:
            return steps[task.kind](film, task)
        except TryFailed as error:
            return Mishap(str(error), is_noted=True)
        except VFEError as error:
            return Mishap(str(error), is_final=True)
        except _MISHAPS as error:
            return Mishap(f"{type(error).__name__}: {' '.join(str(error).split())}")

    def _plan(self, film: Film, _: Task) -> Planned | Assembled:
        told: list[str] = []
        job = begin(film.request, film.run, self._loaded(film), no_progress, told.append)
        return _planned(job, told) if isinstance(job, Job) else Assembled(job)

    def _restore(self, film: Film, task: Task) -> Restored:
        return Restored(Job.open(film.run.folder, self._loaded(film)).segment(task.segment).frames)

    def _assemble(self, film: Film, task: Task) -> Assembled | Planned:
        job, run = Job.open(film.run.folder), film.run
        try:
            report = job.assemble(film.request.result, overwrite=run.overwrite, report=run.report)
        except SegmentsMissing as missing:
            if set(missing.numbers) - set(task.given_up):
                return _planned(job, [], task.given_up)  # chunks were damaged, and are restored again
            if not run.allow_gaps:
                raise
            report = job.assemble(film.request.result, allow_gaps=True, overwrite=run.overwrite, report=run.report)
            return Assembled(replace(report, notes=(*report.notes, gaps_note(run.folder))))
        if not run.keep:
            job.remove()
        return Assembled(report)

    def _loaded(self, film: Film) -> Restorer:
        """Return the model of a film, which stays for the films that follow with the same."""
        if self._restorer is None or self._model != film.request.model:
            self._restorer = None  # before the next one takes its memory
            self._restorer, self._model = film.request.model.load(), film.request.model
        return self._restorer


def _planned(job: Job, told: Sequence[str], given_up: Collection[int] = ()) -> Planned:
    """Return what is left of a job, but for the segments that were given up."""
    status = job.status()
    undone = {segment.number for segment in status.segments if segment.state is not State.DONE}
    left = {number: job.planned.segment_id(number) for number in sorted(undone.difference(given_up))}
    done = sum(len(segment.stretch) for segment in status.segments if segment.state is State.DONE)
    return Planned(left, done, status.frames, tuple(told))
