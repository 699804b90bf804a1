"""Processes that do tasks, as restoring files, side by side. One that dies costs its task, and a new one follows."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from ..types import VFEError
from .plan import Failed, FileTask, Made
from .worker import DoneT, LoadTools, Progressed, Ready, TaskT, work

STOP_SECONDS = 10.0
"""The seconds that a worker has to tidy up when it is stopped."""

Report = tuple[FileTask, "Progressed | Made | Failed"]


class Pool(Protocol):
    """Something that restores files, several at a time."""

    @property
    def has_room(self) -> bool:
        """Whether it takes another file now."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether files are being restored."""
        ...

    def submit(self, task: FileTask) -> None:
        """Begin with a file; there must be room."""
        ...

    def wait(self, seconds: float | None) -> list[Report]:
        """Return what was heard, waiting for at most so long, None without end. Raises VFEError where no file can be
        restored any more.
        """
        ...


PoolT = TypeVar("PoolT", bound="TaskPool[Any, Any]")


class TaskPool(Generic[TaskT, DoneT]):
    """Worker processes, started when there is work for them. Leaving the `with` block stops them."""

    def __init__(self, load: LoadTools[TaskT, DoneT], size: int) -> None:
        self._load, self._size = load, size
        self._workers: list[_Worker[TaskT, DoneT]] = []

    def __enter__(self: PoolT) -> PoolT:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ask idle workers to end and interrupt the others, which remove what they have half written."""
        for worker in self._workers:
            worker.stop()
        end = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            worker.close(end)

    @property
    def has_room(self) -> bool:
        """Whether a worker is idle, or another may be started."""
        return sum(worker.task is not None for worker in self._workers) < self._size

    @property
    def is_busy(self) -> bool:
        """Whether a worker is at a task."""
        return any(worker.task is not None for worker in self._workers)

    def submit(self, task: TaskT) -> None:
        """Give a task to an idle worker, or to a new one."""
        idle = next((worker for worker in self._workers if worker.task is None), None)
        if idle is None:
            idle = _Worker(self._load, self._size)
            self._workers.append(idle)
        idle.begin(task)

    def wait(self, seconds: float | None) -> list[tuple[TaskT, DoneT | Progressed | Failed]]:
        """Return what workers report, waiting for at most so long. Raises VFEError where the model cannot be loaded.

        A task whose process died has `Failed`.
        """
        if not self._workers:
            time.sleep(seconds or 0)
            return []
        heard = wait([worker.connection for worker in self._workers], seconds)
        return [report for w in list(self._workers) if w.connection in heard for report in self._listen(w)]

    def _listen(self, worker: _Worker[TaskT, DoneT]) -> Iterator[tuple[TaskT, DoneT | Progressed | Failed]]:
        """Yield what one worker has to say; one that is gone is removed."""
        task = worker.task
        try:
            said = worker.connection.recv()
        except (EOFError, OSError):
            self._workers.remove(worker)
            worker.close(time.monotonic() + STOP_SECONDS)
            if not worker.is_ready:
                raise VFEError(f"the model cannot be loaded: {worker.how_it_ended()}") from None
            if task is not None:
                yield task, Failed(worker.how_it_ended())
            return
        if isinstance(said, Ready):
            worker.is_ready = True
        elif not worker.is_ready:
            raise VFEError(said.reason)
        elif task is not None:
            if not isinstance(said, Progressed):
                worker.task = None
            yield task, said


class WorkerPool(TaskPool[FileTask, "Made | Failed"]):
    """Worker processes that restore files."""


class _Worker(Generic[TaskT, DoneT]):
    """One process, seen from outside."""

    def __init__(self, load: LoadTools[TaskT, DoneT], processes: int) -> None:
        # Spawned, for a fork of a process with threads or a GPU is not safe, and nothing else is on all systems.
        context = multiprocessing.get_context("spawn")
        self.connection: Connection
        self.connection, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, load, processes), daemon=True)
        self.process.start()
        other.close()  # so that its end is heard when the process ends
        self.task: TaskT | None = None
        self.is_ready = False
        self._exit_code: int | None = None

    def begin(self, task: TaskT) -> None:
        """Send a task. What goes wrong is heard when the worker is listened to."""
        self.task = task
        try:
            self.connection.send(task)
        except OSError:  # it died while it was idle
            pass

    def stop(self) -> None:
        """Ask the process to end. On Windows a busy one hears of Ctrl-C itself, and cannot be interrupted otherwise."""
        if self.task is None and self.is_ready:
            try:
                self.connection.send(None)
            except OSError:
                pass
        elif os.name != "nt":
            self.process.terminate()

    def close(self, end: float) -> None:
        """Wait until the process has ended, but kill it at `end` on the monotonic clock."""
        self.process.join(max(0.0, end - time.monotonic()))
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self._exit_code = self.process.exitcode
        self.process.close()
        self.connection.close()

    def how_it_ended(self) -> str:
        """Return why a closed process ended, as its exit code tells."""
        code = self._exit_code or 0
        if code >= 0:
            return f"its process ended with exit code {code}; what it wrote above says why"
        name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
        return f"its process was ended by {name}" + (", as for want of memory; try fewer --jobs" * (name == "SIGKILL"))
