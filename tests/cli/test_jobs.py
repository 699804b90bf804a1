"""`vfe plan`, `vfe segment`, `vfe assemble`, `vfe job`, and `vfe enhance` through a job."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.cli_run import Run, assert_one_line_error, run_vfe
from tests.support.clips import Clip, write_clip, write_image
from tests.support.small_jobs import faces_of_list, planned, single_pass, stand_in
from vfe.jobs.job import Job
from vfe.options import RestoreOptions

STAND_IN = ("--face-model", "none", "--device", "cpu")
PARTS = (*STAND_IN, "--segment-frames", 20)


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vfe.restore.restorer.load_pipeline", lambda *_: stand_in().pipeline)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mkv", Clip(frames=61, audio=True))


def test_the_three_parts(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_vfe(capsys, "plan", clip, "-o", tmp_path / "job", *PARTS)
    assert run.code == 0, run.err
    assert "61 frames in 3 segments, numbers 0 to 2" in run.out
    assert "chunks take at most" in run.out
    assert run_vfe(capsys, "job", tmp_path / "job", "--count").out == "3\n"
    assert run_vfe(capsys, "segment", tmp_path / "job", 2, 0).code == 0
    told = run_vfe(capsys, "job", tmp_path / "job")
    assert "3 segments: 1 waiting, 0 running, 2 done, 0 failed; 41/61 frames" in told.out
    assert_one_line_error(run_vfe(capsys, "assemble", tmp_path / "job"), "segment 1 is not restored", "--allow-gaps")
    assert run_vfe(capsys, "segment", tmp_path / "job", "all").code == 0
    assert_one_line_error(run_vfe(capsys, "assemble", tmp_path / "job", "--report", "r.txt"), ".html", code=2)
    run = run_vfe(capsys, "assemble", tmp_path / "job", "--report", tmp_path / "film.html")
    assert run.code == 0, run.err
    assert "Segments" in (tmp_path / "film.html").read_text(encoding="ascii")
    assert str(tmp_path / "clip.restored.mkv") in run.out
    assert (tmp_path / "clip.restored.mkv").read_bytes() == single_pass(clip, stand_in())
    assert not (tmp_path / "job").exists()


def test_gaps_keep_the_job(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned(clip).segment(0)
    run = run_vfe(capsys, "assemble", tmp_path / "job", "--allow-gaps", "-o", tmp_path / "other.mkv")
    assert run.code == 0, run.err
    assert "note: frames 20 to 39 are those of the source" in run.out
    assert (tmp_path / "job").exists()
    assert (tmp_path / "other.mkv").exists()


def test_the_output_is_beside_the_input(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_vfe(capsys, "enhance", clip, *STAND_IN).code == 0
    assert (tmp_path / "clip.restored.mkv").read_bytes() == single_pass(clip, stand_in())
    (tmp_path / "frames").mkdir()
    write_image(tmp_path / "frames" / "a.png")
    assert run_vfe(capsys, "enhance", tmp_path / "frames" / "a.png", *STAND_IN).code == 0
    assert (tmp_path / "frames" / "a.restored.png").exists()
    (tmp_path / "frames" / "a.restored.png").unlink()
    assert run_vfe(capsys, "enhance", tmp_path / "frames", *STAND_IN).code == 0
    assert (tmp_path / "frames_restored" / "a.png").exists()
    assert_one_line_error(run_vfe(capsys, "enhance", clip, *STAND_IN), "exists already", "--overwrite")


def test_a_clip_of_more_than_a_minute_goes_through_a_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "long.mkv", Clip(frames=62, rate=1))
    run = run_vfe(capsys, "enhance", clip, *STAND_IN, "--keep-work")
    assert run.code == 0, run.err
    assert (tmp_path / ".long.restored.mkv.vfe-job" / "job.json").exists()
    assert (tmp_path / "long.restored.mkv").read_bytes() == single_pass(clip, stand_in())
    again = run_vfe(capsys, "enhance", clip, *STAND_IN)
    assert again.code == 0, "the same line finds that all is done"
    assert not (tmp_path / ".long.restored.mkv.vfe-job").exists()


def test_a_short_clip_is_a_single_pass(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_vfe(capsys, "enhance", clip, *STAND_IN, "--keep-work")
    assert run.code == 0, run.err
    assert "chunks" not in run.out
    assert not list(tmp_path.glob(".*"))


def half_done(clip: Path, capsys: pytest.CaptureFixture[str], *options: object) -> Run:
    """A job of `vfe enhance` with one segment done, which the same line with these options takes up."""
    enhanced = ("enhance", clip, "-o", clip.with_name("film.mkv"), "--job", clip.with_name("job"), *PARTS)
    planned = run_vfe(capsys, "plan", clip, "-o", clip.with_name("job"), "--result", clip.with_name("film.mkv"), *PARTS)
    assert planned.code == 0, planned.err
    Job.open(clip.with_name("job"), stand_in()).segment(1)
    return run_vfe(capsys, *enhanced, *options)


def test_it_goes_on_where_it_was(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = half_done(clip, capsys)
    assert run.code == 0, run.err
    assert "going on with the job in" in run.out
    assert "20 of 61 frames are done" in run.out
    assert (tmp_path / "film.mkv").read_bytes() == single_pass(clip, stand_in())
    assert not (tmp_path / "job").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--no-resume",), "--no-resume was given"),
        (("--strength", 0.5), "the option strength"),
        (("--region", "face", "--tracks", "faces.json"), "the option region, the file of the face tracks"),
        (("--window", 13), "the window of the model"),
        (("--job-codec", "raw"), "the codec of chunks"),
        (("--segment-frames", 30), "the length of segments"),
    ],
)
def test_a_change_is_named_and_the_job_starts_anew(
    options: tuple[object, ...], named: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tracks = faces_of_list(tmp_path / "faces.json", 61)
    options = tuple(tracks if option == "faces.json" else option for option in options)
    run = half_done(clip, capsys, *options)
    assert run.code == 0, run.err
    assert f"starts anew: {named}\n" in run.out
    restoring = RestoreOptions(
        strength=0.5 if "--strength" in options else 1.0,
        region="face" if "--region" in options else "frame",
        tracks=tracks if "--tracks" in options else None,
    )
    assert (tmp_path / "film.mkv").read_bytes() == single_pass(clip, stand_in(), restoring)


def test_a_changed_source_starts_anew(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_vfe(capsys, "plan", clip, "-o", tmp_path / "job", "--result", tmp_path / "film.mkv", *PARTS)
    write_clip(clip, Clip(frames=50))
    os.utime(clip, (9, 9))
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "film.mkv", "--job", tmp_path / "job", *PARTS)
    assert run.code == 0, run.err
    assert "starts anew: the source" in run.out
    assert (tmp_path / "film.mkv").read_bytes() == single_pass(clip, stand_in())


def test_what_needs_a_single_pass(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ("enhance", clip, "-o", tmp_path / "film.mkv", "--compare", tmp_path / "both.mkv", *STAND_IN)
    assert_one_line_error(run_vfe(capsys, *line, "--job", tmp_path / "job"), "--compare needs a single pass", code=2)
    long = write_clip(tmp_path / "long.mkv", Clip(frames=62, rate=1))
    run = run_vfe(capsys, "enhance", long, "-o", tmp_path / "film.mkv", "--compare", tmp_path / "both.mkv", *STAND_IN)
    assert run.code == 0, run.err
    assert "note: --compare needs a single pass: where this run is killed, it starts anew" in run.out
    assert_one_line_error(run_vfe(capsys, "plan", "-", "-o", tmp_path / "job"), "a pipe can be read once", code=2)


def test_failures_are_told(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = planned(clip)
    for _ in range(3):
        job._files(1).fail("CUDA error: no luck")
    run = run_vfe(capsys, "segment", tmp_path / "job", "all")
    assert_one_line_error(run, "segment 1", "CUDA error: no luck")
    told = run_vfe(capsys, "job", tmp_path / "job")
    assert "2 done, 1 failed" in told.out
    assert "segment 1 failed, try 3: CUDA error: no luck" in told.out


def test_a_job_in_the_way_is_named(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "diary.txt").touch()
    line = (clip, "-o", tmp_path / "film.mkv", "--job", tmp_path / "job", *PARTS)
    assert_one_line_error(run_vfe(capsys, "enhance", *line), str(tmp_path / "job"), "is in use")
    assert_one_line_error(run_vfe(capsys, "enhance", *line, "--no-resume"), "is in use")


@pytest.mark.parametrize(("width", "frames"), [(32, 61), (64, 60)])
def test_faces_of_another_clip(
    width: int, frames: int, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = faces_of_list(tmp_path / "faces.json", frames).read_text()
    (tmp_path / "faces.json").write_text(text.replace('"width": 64', f'"width": {width}'))
    line = ("plan", clip, "-o", tmp_path / "job", "--region", "face", "--tracks", tmp_path / "faces.json", *PARTS)
    assert_one_line_error(run_vfe(capsys, *line), "vfe faces --json")
