"""Jobs that are done one after the other, without anybody waiting for them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .jobs import Job, JobError
from .process import RESTORING, Process
from .results import Result

LOOKING = 0.3
"""The share of a job that is counted for the first pass over a file, where there is one: our own choice."""
WORK = ".vfe-"
"""How the names of the hidden folders begin in which results are made."""


class Queue:
    """Jobs, what came of those that are done, and the run of the one that is being done."""

    def __init__(self, start: Sequence[str], jobs: Sequence[Job]) -> None:
        """`start` is how `vfe` is started."""
        self.jobs = tuple(jobs)
        self.results: dict[Job, Result] = {}
        self.errors: dict[Job, str] = {}
        """Why jobs failed, a sentence each."""
        self.notes: list[str] = []
        """What a person should know of the results."""
        self.is_cancelled = False
        self._start = tuple(start)
        self._waiting = list(self.jobs)
        self._job: Job | None = None
        self._process: Process | None = None
        self._work: Path | None = None

    def step(self) -> bool:
        """Do what can be done without waiting; return whether all jobs have ended."""
        if self._process is not None:
            code = self._process.code()
            if code is None:
                return False
            self._end(code)
        if not self._waiting:
            return True
        self._begin(self._waiting.pop(0))
        return False

    def cancel(self) -> None:
        """End the run and leave out the jobs that are left; results that are there stay."""
        self.is_cancelled = True
        self._waiting.clear()
        if self._process is not None:
            self._process.end()
            self._tidy()

    @property
    def share(self) -> float:
        """How much of the jobs is done, from 0 to 1."""
        if not self.jobs:
            return 1.0
        ended = len(self.jobs) - len(self._waiting) - (self._process is not None)
        return min(1.0, (ended + self._share_of_job) / len(self.jobs))

    @property
    def text(self) -> str:
        """Say in one line what is being done."""
        if self._job is None or self._process is None:
            return "Restoring faces"
        number = len(self.jobs) - len(self._waiting)
        of_all = f" ({number} of {len(self.jobs)})" if len(self.jobs) > 1 else ""
        progress = self._process.progress
        if progress is None:
            return f"{self._job.title}{of_all}: starting"
        frames = f"{progress.done}/{progress.total}" if progress.total else f"{progress.done}"
        return f"{self._job.title}{of_all}: {progress.stage}, {frames} frames"

    @property
    def _share_of_job(self) -> float:
        progress = self._process.progress if self._process is not None else None
        if self._process is None or progress is None or not progress.total:
            return 0.0
        share = min(1.0, progress.done / progress.total)
        if progress.stage != RESTORING:
            return LOOKING * share
        looked = LOOKING if self._process.looked else 0.0
        return looked + (1 - looked) * share

    def _begin(self, job: Job) -> None:
        try:
            job.folder.mkdir(parents=True, exist_ok=True)
            self._work = Path(tempfile.mkdtemp(prefix=WORK, dir=job.folder))
            self._process = Process(job.command(self._start, self._work))
            self._job = job
        except OSError as error:
            self.errors[job] = f"{job.title}: {_sentence(error)}"
            self._tidy()

    def _end(self, code: int) -> None:
        assert self._job is not None and self._process is not None and self._work is not None
        job = self._job
        if code:
            self.errors[job] = f"{job.title}: {self._process.error()}"
        else:
            try:
                self.results[job] = job.keep(self._work)
                self.notes += [f"{job.title}: {note}" for note in self._process.notes]
            except JobError as error:
                self.errors[job] = str(error)
            except OSError as error:
                self.errors[job] = f"{job.title}: {_sentence(error)}"
        self._tidy()

    def _tidy(self) -> None:
        self._job = self._process = None
        if self._work is not None:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None


def _sentence(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)
