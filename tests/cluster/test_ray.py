"""Films on a real cluster of several nodes on this machine, whose workers die and whose machines come and go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.clips import Clip, write_clip
from tests.support.dying_worker import DEADLY, FRAMES_OF_EACH, SEGMENTS, DyingWorker, segment_id
from tests.support.one_process import by_one_process
from tests.support.tiny_lite import tiny_lite
from vfe.batch.clips import Clip as FoundClip
from vfe.batch.given import GivenOptions
from vfe.batch.plan import Failed, FileTask, Made
from vfe.batch.worker import Progressed
from vfe.cluster.crew import Crew
from vfe.cluster.pool import RayPool
from vfe.cluster.ray_session import connected
from vfe.cluster.tasks import Done, Film, FilmWork, Mishap, Task
from vfe.jobs.job import Job
from vfe.jobs.records import SegmentFiles
from vfe.jobs.request import JobRequest, ModelRequest
from vfe.jobs.status import State
from vfe.jobs.whole import WholeRun, job_folder
from vfe.options import ModelOptions, RestoreOptions
from vfe.types import VFEError
from vfe.weights.lite import save_lite_model

pytest.importorskip("ray", reason="no cluster to test with: Ray is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

FRAMES, SEGMENT = 130, 15
LOSSLESS = RestoreOptions(codec="ffv1")
NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80_000_000}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes; a test that removes one adds another."""
    from ray.cluster_utils import Cluster

    running = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    running.add_node(**NODE)
    yield running
    running.shutdown()


@pytest.fixture
def model(tmp_path: Path) -> ModelRequest:
    save_lite_model(tmp_path / "tiny.safetensors", tiny_lite(0.02), {})
    return ModelRequest(str(tmp_path / "tiny.safetensors"), "cpu", "fp32", options=ModelOptions(face_model="none"))


def tasks_of(folder: Path, *names: str) -> list[FileTask]:
    found = [FoundClip(folder / name, Path(name)) for name in names]
    return [FileTask(clip, clip.path.with_suffix(".out.mkv"), LOSSLESS, GivenOptions()) for clip in found]


def pool_of(address: str, model: ModelRequest) -> RayPool:
    def film_of(task: FileTask) -> Film:
        request = JobRequest(task.clip.path, task.output, task.options, model, segment_frames=SEGMENT)
        return Film(request, WholeRun(job_folder(task.output)))

    return RayPool(address, film_of, on_cpu=True, is_lite=True)


def kill_a_worker(folder: Path) -> None:
    """Kill the process that is at a segment of the job in `folder`."""
    running: list[str] = []
    while not running:
        running = [at.worker for at in Job.open(folder).status().segments if at.state is State.RUNNING]
    psutil.Process(int(running[0].rpartition(":")[2])).kill()


@pytest.fixture
def mishaps(monkeypatch: pytest.MonkeyPatch) -> list[Mishap]:
    """What workers could not do, as it is heard."""
    heard: list[Mishap] = []
    take = FilmWork.take

    def listen(work: FilmWork, task: Task, done: Done) -> None:
        heard.extend([done] if isinstance(done, Mishap) else [])
        take(work, task, done)

    monkeypatch.setattr(FilmWork, "take", listen)
    return heard


def test_the_film_is_the_same_whoever_dies(
    cluster: Any,  # noqa: ANN401
    model: ModelRequest,
    mishaps: list[Mishap],
    tmp_path: Path,
) -> None:
    """A worker is killed, a node is removed and another one added while a film is restored: as by one process.

    Ray starts the worker again, and gives it its segment again, so that nobody hears of it.
    """
    film = write_clip(tmp_path / "film.mkv", Clip(frames=FRAMES, audio=True))
    (node,) = cluster.worker_nodes
    events = {
        2: lambda: kill_a_worker(job_folder(tmp_path / "film.out.mkv")),
        4: lambda: cluster.remove_node(node),
        6: lambda: cluster.add_node(**NODE),
    }
    heard: list[Progressed | Made | Failed] = []
    with pool_of(cluster.address, model) as pool:
        pool.submit(tasks_of(tmp_path, "film.mkv")[0])
        while pool.is_busy:
            heard += [report for _, report in pool.wait(None)]
            done = heard[-1].done // SEGMENT if heard and isinstance(heard[-1], Progressed) else 0
            for due in [segments for segments in events if segments <= done]:
                events.pop(due)()
    assert not events
    assert not mishaps
    assert isinstance(heard[-1], Made), heard[-1]
    assert heard[-1].frames == FRAMES
    assert (tmp_path / "film.out.mkv").read_bytes() == by_one_process(film, model, tmp_path / "one.mkv", LOSSLESS)
    assert {path.name for path in tmp_path.iterdir()} == {"film.mkv", "film.out.mkv", "one.mkv", "tiny.safetensors"}


def test_one_bad_film_stops_no_other(cluster: Any, model: ModelRequest, tmp_path: Path) -> None:  # noqa: ANN401
    write_clip(tmp_path / "a.mkv", Clip(frames=20))
    (tmp_path / "b.mkv").write_bytes(b"no video")
    write_clip(tmp_path / "c.mkv", Clip(frames=40))
    outcomes: dict[str, object] = {}
    with pool_of(cluster.address, model) as pool:
        for task in tasks_of(tmp_path, "a.mkv", "b.mkv", "c.mkv"):
            assert pool.has_room
            pool.submit(task)
        while pool.is_busy:
            outcomes |= {str(task.clip.name): report for task, report in pool.wait(None)}
    assert isinstance(outcomes["a.mkv"], Made)
    assert isinstance(outcomes["c.mkv"], Made)
    assert outcomes["c.mkv"].frames == 40
    assert isinstance(outcomes["b.mkv"], Failed)
    assert "b.mkv" in outcomes["b.mkv"].reason
    assert not (tmp_path / "b.out.mkv").exists()


def test_a_segment_that_kills_its_workers_is_given_up(
    cluster: Any,  # noqa: ANN401
    monkeypatch: pytest.MonkeyPatch,
    mishaps: list[Mishap],
    tmp_path: Path,
) -> None:
    """A worker is started as often as it may be, then the try has failed; after the last one the rest goes on."""
    monkeypatch.setattr("vfe.cluster.crew.Worker", DyingWorker)
    monkeypatch.setattr("vfe.cluster.tasks.TRIES", 1)
    monkeypatch.setattr("vfe.cluster.crew.RESTARTS", 1)
    film = Film(JobRequest(tmp_path / "film.mkv", tmp_path / "out.mkv"), WholeRun(tmp_path))
    with connected(cluster.address) as ray:
        crew, work = Crew(ray, on_cpu=True, is_lite=True), FilmWork(film)
        while work.outcome is None:
            crew.work([work], None)
        crew.dismiss()
    assert (tmp_path / "deaths").read_text() == "x" * 2
    assert "its worker died: " in mishaps[0].reason
    assert mishaps[1:] == [Mishap(f"assembled without {(DEADLY,)}", is_final=True)]
    assert SegmentFiles(tmp_path, segment_id(DEADLY)).failures() == (mishaps[0].reason,)
    assert work.done == FRAMES_OF_EACH * (SEGMENTS - 1)


def test_no_cluster_is_one_line(model: ModelRequest) -> None:
    with pytest.raises(VFEError, match=r"no Ray cluster at 127\.0\.0\.1:1 \("), pool_of("127.0.0.1:1", model):
        pass
