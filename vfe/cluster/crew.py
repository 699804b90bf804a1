"""The workers of a cluster: one for each GPU, or for a few processors, as many as there is room for at the moment.

A worker that dies is started again by Ray, elsewhere where its machine is gone, and gets its task again; only one that
dies again and again is an error here. Machines that join are used.

Tasks are dealt out here, not by `ray.util.ActorPool`, for what that does with such an error (Ray 2.9.3 and 2.60): it
forgets the task before it raises, and the error has no name of it, so that nobody knew which segment has failed; and
the older one keeps the dead actor among its idle ones, where all three tries of each further segment are soon gone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..types import VFEError
from .tasks import Done, FilmWork, Mishap, Task
from .worker import Worker

if TYPE_CHECKING:
    from ray import ObjectRef

RESTARTS = 3
"""How often Ray starts a worker that died, and gives it its task again."""
CPUS_PER_WORKER = 4
"""The processors of a worker without a GPU, where a machine has as many: our own choice."""
LITE_SHARE = 0.5
"""The share of a GPU that the lite model takes: our own choice, as one of it leaves much of a GPU idle."""
_LOOK = 1.0  # seconds between two looks at which machines there are


class Needs(NamedTuple):
    """What a worker takes of a machine."""

    cpus: float
    gpus: float = 0.0

    def fit_into(self, resources: dict[str, float]) -> int:
        """Return how many workers a machine has room for."""
        by_cpu = int(resources.get("CPU", 0.0) / self.cpus)
        return min(by_cpu, int(resources.get("GPU", 0.0) / self.gpus)) if self.gpus else by_cpu


class Crew:
    """The workers, and what they are at."""

    def __init__(
        self,
        ray: Any,  # noqa: ANN401 - a module
        *,
        on_cpu: bool,
        is_lite: bool,
        cpus_per_worker: int = CPUS_PER_WORKER,
    ) -> None:
        """`on_cpu` says that no GPU is to be used. Raises VFEError where no machine has a processor for a worker."""
        self._cpus_per_worker = cpus_per_worker
        self._ray = ray
        self._idle: list[Any] = []
        self._busy: dict[ObjectRef[Done], tuple[Any, FilmWork, Task]] = {}
        self.needs = self._needs(on_cpu, LITE_SHARE if is_lite else 1.0)

    @property
    def room(self) -> int:
        """How many workers all machines have room for."""
        return sum(self.needs.fit_into(resources) for resources in self._machines())

    def work(self, films: Sequence[FilmWork], seconds: float | None) -> None:
        """Deal out tasks of films until one ends, or so many seconds are over, and note what came of those that did."""
        until = None if seconds is None else time.monotonic() + seconds
        ended = False
        while not ended and (until is None or time.monotonic() < until):
            self._deal(films)
            if not self._busy:
                if not any(film.waiting for film in films):
                    return
                time.sleep(_LOOK)  # no machine is left: one may join
                continue
            refs, _ = self._ray.wait(list(self._busy), num_returns=1, timeout=_LOOK)
            for ref in refs:
                actor, film, task = self._busy.pop(ref)
                film.take(task, self._outcome(ref, actor))
                ended = True

    def described(self) -> str:
        """Return how many workers there is room for, and what each takes of its machine, in words."""
        cpus, gpus = self.needs
        workers = "1 worker" if self.room == 1 else f"{self.room} workers"
        return f"{workers}, each with " + (f"{gpus:g} of a GPU" if gpus else f"{cpus:g} processors")

    def dismiss(self) -> None:
        """End all workers."""
        for actor in [*self._idle, *(actor for actor, _, _ in self._busy.values())]:
            self._ray.kill(actor)
        self._idle.clear()
        self._busy.clear()

    def _deal(self, films: Sequence[FilmWork]) -> None:
        """Give tasks to workers, hire as many as there is room for, and let those go that have nothing to do."""
        waiting = sum(len(film.waiting) for film in films)
        room = self.room
        while len(self._idle) < waiting and len(self._idle) + len(self._busy) < room:
            self._idle.append(self._hire())
        for film in films:
            while film.waiting and self._idle:
                actor, task = self._idle.pop(), film.begin()
                self._busy[actor.do.remote(film.film, task)] = actor, film, task
        while self._busy and self._idle:  # a worker whose machine is gone may wait for what these hold
            self._ray.kill(self._idle.pop())

    def _outcome(self, ref: ObjectRef[Done], actor: Any) -> Done:  # noqa: ANN401 - Ray's handles have no type
        try:
            done: Done = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            self._ray.kill(actor)
            said = str(error).strip().splitlines() or [type(error).__name__]
            return Mishap(f"its worker died: {said[-1]}")  # the last line is the cause, after traces of Ray's own
        self._idle.append(actor)
        return done

    def _hire(self) -> Any:  # noqa: ANN401
        cpus, gpus = self.needs
        # Ray also counts that it sent a task to a worker that was just dying, and did not get an answer.
        again = {"max_restarts": RESTARTS, "max_task_retries": 2 * RESTARTS}
        return self._ray.remote(Worker).options(num_cpus=cpus, num_gpus=gpus, **again).remote()

    def _needs(self, on_cpu: bool, gpu_share: float) -> Needs:
        machines = self._machines()
        if not on_cpu and any(resources.get("GPU") for resources in machines):
            return Needs(1.0, gpu_share)
        most = max((resources.get("CPU", 0.0) for resources in machines), default=0.0)
        if most < 1:
            raise VFEError("no machine of the cluster has a processor for a worker; add one with ray start --address")
        return Needs(min(most, self._cpus_per_worker))

    def _machines(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
