"""Worker processes: files side by side, deaths, interruption."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.support.pool_work import die_loading, load, load_nothing, task
from vfe.batch.plan import Failed, Made
from vfe.batch.pool import Report, WorkerPool
from vfe.batch.worker import Progressed
from vfe.types import VFEError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


def restore(pool: WorkerPool, *names: str) -> dict[str, Made | Failed]:
    """Restore files of these names and return what became of each."""
    waiting, ended = list(names), dict[str, Made | Failed]()
    while waiting or pool.is_busy:
        while waiting and pool.has_room:
            pool.submit(task(waiting.pop(0)))
        ended |= {t.clip.path.name: said for t, said in pool.wait(30) if not isinstance(said, Progressed)}
    return ended


def test_one_worker_restores_all_files() -> None:
    with WorkerPool(load, 1) as pool:
        made = restore(pool, "a", "b")
    assert made["a"] == made["b"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the cores that a process may use are not told")
def test_two_workers_share_the_files_and_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with WorkerPool(load, 2) as pool:
        pool.submit(task("a"))
        pool.submit(task("b"))
        assert not pool.has_room
        ended = [said for said in drain(pool) if isinstance(said, Made)]
    assert len({made.notes[0] for made in ended}) == 2
    assert ended[0].notes[1] == str(max(1, len(os.sched_getaffinity(0)) // 2))


def drain(pool: WorkerPool) -> list[Progressed | Made | Failed]:
    """All that is said until nothing is at work."""
    said: list[Report] = []
    while pool.is_busy:
        said += pool.wait(30)
    return [report for _, report in said]


def test_progress_is_heard() -> None:
    with WorkerPool(load, 1) as pool:
        pool.submit(task("a"))
        assert Progressed(0, 2) in drain(pool)


@pytest.mark.parametrize(("name", "part"), [("dies", "SIGKILL"), ("leaves", "exit code 3")])
def test_a_worker_that_dies_is_a_failed_file_and_is_replaced(name: str, part: str) -> None:
    with WorkerPool(load, 1) as pool:
        ended = restore(pool, "a", name, "b", "fails", "c")
    assert isinstance(died := ended[name], Failed)
    assert part in died.reason
    assert ended["fails"] == Failed("as its name says")
    assert all(isinstance(ended[name], Made) for name in "abc")
    assert ended["b"] == ended["c"] != ended["a"]


@pytest.mark.parametrize(("load", "part"), [(load_nothing, "no model of this name"), (die_loading, "SIGKILL")])
def test_a_model_that_cannot_be_loaded_ends_all(load: object, part: str) -> None:
    with WorkerPool(load, 1) as pool, pytest.raises(VFEError, match=part):  # type: ignore[arg-type]
        restore(pool, "a", "b")


def test_leaving_lets_workers_tidy_up(tmp_path: Path) -> None:
    with WorkerPool(load, 1) as pool:
        pool.submit(task("hangs", tmp_path))
        while not (tmp_path / "hangs").exists():
            pool.wait(0.05)
        started = time.monotonic()
    assert (tmp_path / "hangs.tidied").exists()
    assert time.monotonic() - started < 5


def test_nothing_to_do_starts_nothing() -> None:
    with WorkerPool(load, 4) as pool:
        assert pool.wait(0.001) == []
        assert pool.has_room
