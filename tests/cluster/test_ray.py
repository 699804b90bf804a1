"""Films on a real cluster of several nodes on this machine, whose workers die and whose machines come and go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
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

FRAMES, SEGMENT = 220, 15  # so many segments that a worker is met at one of them, however slow this process is
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


def kill_a_worker(folder: Path) -> bool:
    """Kill the process that is at a segment of the job in `folder`; says whether there was one within seconds.

    Who waits longer may wait for ever: what a worker has done is heard, and more is given out, after this alone.
    """
    until = monotonic() + 3
    while monotonic() < until:
        for at in Job.open(folder).status().segments:
            if at.state is State.RUNNING:
                psutil.Process(int(at.worker.rpartition(":")[2])).kill()
                return True
    return False


def do(event: Callable[[], object]) -> bool:
    """Let something happen; says whether it did."""
    return event() is not False


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

    Ray starts the worker again, and gives it its segment again, so that nobody hears of it. All that is heard is that
    of another film, which is none.
    """
    film = write_clip(tmp_path / "film.mkv", Clip(frames=FRAMES, audio=True))
    (tmp_path / "bad.mkv").write_bytes(b"no video")
    (node,) = cluster.worker_nodes
    events = {
        2: lambda: kill_a_worker(job_folder(tmp_path / "film.out.mkv")),
        4: lambda: cluster.remove_node(node),
        6: lambda: cluster.add_node(**NODE),
    }
    heard: dict[str, Progressed | Made | Failed] = {}
    with pool_of(cluster.address, model) as pool:
        for task in tasks_of(tmp_path, "film.mkv", "bad.mkv"):
            assert pool.has_room
            pool.submit(task)
        while pool.is_busy:
            heard |= {str(task.clip.name): report for task, report in pool.wait(None)}
            of_film = heard.get("film.mkv")
            done = of_film.done // SEGMENT if isinstance(of_film, Progressed) else 0
            for due in [segments for segments in events if segments <= done and do(events[segments])]:
                events.pop(due)
    assert not events
    made, bad = heard["film.mkv"], heard["bad.mkv"]
    assert isinstance(made, Made), made
    assert made.frames == FRAMES
    assert isinstance(bad, Failed)
    assert [bad.reason] == [mishap.reason for mishap in mishaps]
    assert "bad.mkv" in bad.reason
    assert (tmp_path / "film.out.mkv").read_bytes() == by_one_process(film, model, tmp_path / "one.mkv", LOSSLESS)
    expected = {"bad.mkv", "film.mkv", "film.out.mkv", "one.mkv", "tiny.safetensors"}
    assert {path.name for path in tmp_path.iterdir()} == expected


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
