"""A pool that does tasks in this process, one at a time: for tests of what is around it."""

from __future__ import annotations

from types import TracebackType
from typing import Generic

from vfe.batch.plan import Failed
from vfe.batch.worker import DoneT, DoTask, LoadTools, Progressed, TaskT
from vfe.types import VFEError


class InlinePool(Generic[TaskT, DoneT]):
    """Stands in for `TaskPool`, and for `WorkerPool`."""

    def __init__(self, load: LoadTools[TaskT, DoneT], size: int = 1) -> None:
        del size
        self._load = load
        self._do: DoTask[TaskT, DoneT] | None = None
        self._task: TaskT | None = None

    def __enter__(self) -> InlinePool[TaskT, DoneT]:
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

    def submit(self, task: TaskT) -> None:
        self._task = task

    def wait(self, seconds: float | None) -> list[tuple[TaskT, DoneT | Progressed]]:
        del seconds
        task, self._task = self._task, None
        if task is None:
            return []
        if self._do is None:
            loaded = self._load()
            if isinstance(loaded, Failed):
                raise VFEError(loaded.reason)
            self._do = loaded
        heard: list[tuple[TaskT, DoneT | Progressed]] = []
        outcome = self._do(task, lambda done, total: heard.append((task, Progressed(done, total))))
        return [*heard, (task, outcome)]
