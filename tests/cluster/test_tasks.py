"""What workers of a cluster do for a film, and how it is noted what came of that; no cluster is needed for it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.support.clips import Clip, write_clip
from tests.support.small_jobs import planned
from vfe.cluster.tasks import Assembled, Film, FilmWork, Kind, Mishap, Planned, Restored, Task
from vfe.cluster.worker import Worker
from vfe.jobs.job import Job
from vfe.jobs.records import Held, SegmentFiles
from vfe.jobs.request import JobRequest
from vfe.jobs.whole import WholeRun
from vfe.jobs.worker import Worker as Process
from vfe.restore.restorer import RestoreReport, StageSeconds

LACKING = 1


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Three segments, of which one is not restored."""
    job = planned(write_clip(tmp_path / "clip.mkv", Clip(frames=61)))
    job.segment(0)
    job.segment(2)
    return job


def film_of(job: Job, *, allow_gaps: bool = False, report: Path | None = None) -> Film:
    return Film(job.planned.order.request, WholeRun(job.folder, allow_gaps=allow_gaps, report=report))


def assembly(*given_up: int) -> Task:
    return Task(Kind.ASSEMBLE, given_up=given_up)


def test_a_chunk_that_is_missing_is_restored_first(job: Job) -> None:
    done = Worker().do(film_of(job, allow_gaps=True), assembly())
    assert done == Planned({LACKING: job.planned.segment_id(LACKING)}, 41, 61)


def test_what_was_given_up_is_missing(job: Job) -> None:
    done = Worker().do(film_of(job), assembly(LACKING))
    assert isinstance(done, Mishap)
    assert done.is_final
    assert f"segment {LACKING} is not restored" in done.reason
    assert job.folder.exists()


def test_what_was_given_up_is_a_gap_where_that_is_allowed(job: Job, tmp_path: Path) -> None:
    done = Worker().do(film_of(job, allow_gaps=True, report=tmp_path / "report.json"), assembly(LACKING))
    assert isinstance(done, Assembled)
    assert any("frames 20 to 39 are those of the source" in note for note in done.report.notes)
    assert f"{job.folder} stays" in done.report.notes[-1]
    assert job.folder.exists()
    assert "frames 20 to 39 are those of the source" in (tmp_path / "report.json").read_text(encoding="utf-8")


def test_the_report_of_a_film_is_written(job: Job, tmp_path: Path) -> None:
    job.segment(LACKING)
    done = Worker().do(film_of(job, report=tmp_path / "report.json"), assembly())
    assert isinstance(done, Assembled)
    assert len(json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["segments"]) == 3
    assert not job.folder.exists()


def test_frames_within_segments_count(tmp_path: Path) -> None:
    work = FilmWork(Film(JobRequest(tmp_path / "film.mkv", tmp_path / "out.mkv"), WholeRun(tmp_path)))
    work.take(work.begin(), Planned({1: "b", 2: "c"}, 10, 30))
    one, other = work.begin(), work.begin()
    assert (work.done, work.frames) == (10, 30)
    files = SegmentFiles(tmp_path, "b")
    files.hold(Held(Process.this(), time.time(), 4))
    assert work.done == 14
    files.release()
    work.take(one, Restored(10))
    assert work.done == 20
    work.take(other, Restored(10))
    work.begin()
    SegmentFiles(tmp_path, "assembly").hold(Held(Process.this(), time.time(), 7))
    assert work.done == 7


@pytest.mark.parametrize("done_before", [0, 10])
def test_seconds_are_those_of_the_run_that_restored_it_all(done_before: int, tmp_path: Path) -> None:
    work = FilmWork(Film(JobRequest(tmp_path / "film.mkv", tmp_path / "out.mkv"), WholeRun(tmp_path)))
    work.take(work.begin(), Planned({}, done_before, 20))
    of_segments = RestoreReport(tmp_path / "out.mkv", 20, 1000.0, StageSeconds(0.0, 900.0, 100.0))
    work.take(work.begin(), Assembled(of_segments))
    assert isinstance(work.outcome, RestoreReport)
    assert (work.outcome.seconds == 1000) == bool(done_before)


def test_a_segment_that_fails_is_noted_and_given_up(tmp_path: Path) -> None:
    work = FilmWork(Film(JobRequest(tmp_path / "film.mkv", tmp_path / "out.mkv"), WholeRun(tmp_path)))
    work.take(work.begin(), Planned({0: "a", 1: "b"}, 0, 20))
    work.take(work.begin(), Restored(10))
    for _ in range(3):
        work.take(work.begin(), Mishap("its worker died: no luck"))
    assert SegmentFiles(tmp_path, "b").failures() == ("its worker died: no luck",) * 3
    assert work.begin() == assembly(1)
