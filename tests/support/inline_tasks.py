"""A pool that does tasks in this process, one at a time: for tests of what is around it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from vfe.batch.plan import Failed
from vfe.batch.worker import Progressed
from vfe.curation.work import Done, Task, Tools
from vfe.types import Progress, VFEError


class InlineTasks:
    """Stands in for `TaskPool` in a curation."""

    def __init__(self, load: Tools, size: int = 1) -> None:
        del size
        self._load = load
        self._do: Callable[[Task, Progress], Done] | None = None
        self._task: Task | None = None

    def __enter__(self) -> InlineTasks:
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

    def submit(self, task: Task) -> None:
        self._task = task

    def wait(self, seconds: float | None) -> list[tuple[Task, Done | Progressed]]:
        del seconds
        task, self._task = self._task, None
        assert task is not None
        if self._do is None:
            loaded = self._load()
            if isinstance(loaded, Failed):
                raise VFEError(loaded.reason)
            self._do = loaded
        heard: list[tuple[Task, Done | Progressed]] = []
        done = self._do(task, lambda count, total: heard.append((task, Progressed(count, total))))
        return [*heard, (task, done)]
