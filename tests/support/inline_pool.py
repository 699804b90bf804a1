"""A pool that restores files in this process, one at a time: for tests of what is around it."""

from __future__ import annotations

from types import TracebackType

from vfe.batch.plan import Failed, FileTask
from vfe.batch.pool import Report
from vfe.batch.worker import Load, Progressed
from vfe.types import VFEError


class InlinePool:
    """Stands in for `WorkerPool`."""

    def __init__(self, load: Load, size: int = 1) -> None:
        del size
        self._load = load
        self._task: FileTask | None = None

    def __enter__(self) -> InlinePool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def has_room(self) -> bool:
        return self._task is None

    @property
    def is_busy(self) -> bool:
        return self._task is not None

    def submit(self, task: FileTask) -> None:
        self._task = task

    def wait(self, seconds: float | None) -> list[Report]:
        del seconds
        task, self._task = self._task, None
        if task is None:
            return []
        restore = self._load()
        if isinstance(restore, Failed):
            raise VFEError(restore.reason)
        heard: list[Report] = []
        outcome = restore(task, lambda done, total: heard.append((task, Progressed(done, total))))
        return [*heard, (task, outcome)]
