"""A worker of a cluster that ends its process whenever it is at one certain segment."""

from __future__ import annotations

import os
import signal

from vfe.cluster.tasks import Done, Film, Kind, Mishap, Planned, Restored, Task

SEGMENTS, FRAMES_OF_EACH, DEADLY = 3, 10, 1


def segment_id(number: int) -> str:
    return f"segment-{number}"


class DyingWorker:
    """Stands in for the worker; what it does leaves no files, but for one that counts its deaths."""

    def do(self, film: Film, task: Task) -> Done:
        if task.kind is Kind.PLAN:
            left = {number: segment_id(number) for number in range(SEGMENTS)}
            return Planned(left, 0, SEGMENTS * FRAMES_OF_EACH)
        if task.kind is Kind.ASSEMBLE:
            return Mishap(f"assembled without {task.given_up}", is_final=True)
        if task.segment == DEADLY:
            with (film.run.folder / "deaths").open("a", encoding="utf-8") as deaths:
                deaths.write("x")
            os.kill(os.getpid(), signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        return Restored(FRAMES_OF_EACH)
