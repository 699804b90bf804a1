"""A pool of a batch whose files are restored by a cluster, each through a job beside its output."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType

from ..batch.plan import Failed, FileTask, Made
from ..batch.pool import Report
from ..batch.worker import Progressed
from .crew import Crew
from .ray_session import connected
from .tasks import Film, FilmWork, Mishap

AHEAD = 2
"""Films for each worker that are begun: while the last segments of one are restored, others have work for the rest."""
_LOOK = 1.0  # seconds between two looks at how far the segments are


class RayPool:
    """Restores files on the cluster at `address`; what `film_of` makes of a file says how, or why that cannot be.

    Use it in a `with` block.
    """

    def __init__(
        self, address: str, film_of: Callable[[FileTask], Film | Failed], *, on_cpu: bool, is_lite: bool
    ) -> None:
        self._address, self._film_of = address, film_of
        self._on_cpu, self._is_lite = on_cpu, is_lite
        self._works: list[tuple[FileTask, FilmWork]] = []
        self._refused: list[Report] = []
        self._stack = ExitStack()

    def __enter__(self) -> RayPool:
        """Connect. Raises VFEError where there is no cluster."""
        with ExitStack() as undo:
            ray = undo.enter_context(connected(self._address))
            self._crew = Crew(ray, on_cpu=self._on_cpu, is_lite=self._is_lite)
            undo.callback(self._crew.dismiss)
            self._stack = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers, and leave the cluster; what was done stays for the next run."""
        self._stack.close()

    @property
    def workers(self) -> str:
        """How many workers there is room for, and what each takes of its machine, in words."""
        return self._crew.described()

    @property
    def has_room(self) -> bool:
        """Whether another film may be begun."""
        return len(self._works) < AHEAD * max(self._crew.room, 1)

    @property
    def is_busy(self) -> bool:
        """Whether films are being restored."""
        return bool(self._works or self._refused)

    def submit(self, task: FileTask) -> None:
        """Begin with a file."""
        film = self._film_of(task)
        if isinstance(film, Failed):
            self._refused.append((task, film))
        else:
            self._works.append((task, FilmWork(film)))

    def wait(self, seconds: float | None) -> list[Report]:
        """Return how far films came and which ended, after at most so many seconds; never later than a look takes."""
        refused, self._refused = self._refused, []
        self._crew.work([work for _, work in self._works], 0.0 if refused else _LOOK if seconds is None else seconds)
        reports = [(task, _report(work)) for task, work in self._works if work.frames or work.outcome]
        self._works = [(task, work) for task, work in self._works if work.outcome is None]
        return [*refused, *reports]


def _report(work: FilmWork) -> Progressed | Made | Failed:
    if work.outcome is None:
        return Progressed(work.done, work.frames)
    if isinstance(work.outcome, Mishap):
        return Failed(work.outcome.reason)
    return Made(work.outcome.frames, work.outcome.seconds, (*work.notes, *work.outcome.notes))
