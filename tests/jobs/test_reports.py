"""The report of a job is that of one pass over its clip, but for its times and who worked; whatever died meanwhile."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from tests.support.clips import Clip, write_clip
from tests.support.mixing_pipeline import MixingPipeline
from tests.support.small_jobs import faces_of_list, planned, request_of, stand_in
from vfe.jobs.job import Job
from vfe.jobs.whole import WholeRun, restore_whole
from vfe.options import RestoreOptions
from vfe.pipeline.windows import ClipPart, WindowConfig
from vfe.report.even import EvenSample
from vfe.report.watch import MOST_COLOURS, colour_spacing
from vfe.restore.restorer import Restorer
from vfe.types import CheckCancelled, Stretch, VFEError, no_progress

OF_TIME = {"seconds", "fps", "stages", "memory", "segments"}


class OutOfLuck(MixingPipeline):
    """Restores nothing."""

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        del frames, strength, check
        raise VFEError("no luck")


def read(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    return told


def without_times(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in OF_TIME}


def reported(clip: Path, options: RestoreOptions, frames: int = 17) -> tuple[dict[str, Any], dict[str, Any]]:
    """The reports of a job and of one pass, both of which write the same film."""
    film, restorer = clip.with_name("film.mkv"), stand_in(knows_faces=True)
    job = Job.plan(request_of(clip, film, frames=frames, options=options), clip.with_name("job"), restorer)
    for number in reversed(range(len(job.planned.segments))):
        Job.open(clip.with_name("job"), restorer).segment(number)
    Job.open(clip.with_name("job")).assemble(report=clip.with_name("job.json"))
    one = {**vars(options), "report": clip.with_name("one.json"), "overwrite": True}
    restorer.restore_file(clip, film, RestoreOptions(**one))
    return read(clip.with_name("job.json")), read(clip.with_name("one.json"))


@pytest.mark.parametrize("region", ["frame", "face"])
def test_it_has_the_numbers_of_one_pass(region: str, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=61))
    tracks = faces_of_list(tmp_path / "faces.json", 61, (21,))
    of_job, of_one = reported(clip, RestoreOptions(region=region, tracks=tracks))  # type: ignore[arg-type]
    assert without_times(of_job) == without_times(of_one)
    assert [len(face["samples"]) for face in of_job["faces"]] == [5, 10, 2]
    assert [segment["start"] for segment in of_job["segments"]] == [0, 21, 38, 55]
    assert all(segment["fps"] > 0 for segment in of_job["segments"])
    assert all(segment["worker"] for segment in of_job["segments"])
    assert 0 < sum(of_job["stages"].values()) <= of_job["seconds"] + 0.01


def test_cuts_are_those_of_one_pass_without_faces(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=30))
    restorer, film = stand_in(), tmp_path / "film.mkv"
    job = Job.plan(request_of(clip, film, frames=9), tmp_path / "job", restorer)
    job.run()
    job.assemble(report=tmp_path / "job.json")
    restorer.restore_file(clip, film, RestoreOptions(report=tmp_path / "one.json", overwrite=True))
    assert without_times(read(tmp_path / "job.json")) == without_times(read(tmp_path / "one.json"))
    assert read(tmp_path / "job.json")["faces"] is None


@pytest.mark.parametrize(("frames", "every"), [(1600, 4), (1601, 8), (6000, 16)])
def test_long_clips_are_measured_where_one_pass_does(frames: int, every: int) -> None:
    kept: EvenSample[None] = EvenSample(MOST_COLOURS, 4)
    for number in range(frames):
        if kept.wants(number):
            kept.add(number, None)
    assert kept.every == every
    assert colour_spacing(ClipPart(Stretch(0, 1), frames)) == every


def test_gaps_and_failures_are_told(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=61))
    planned(clip)
    Job.open(tmp_path / "job", Restorer(OutOfLuck(WindowConfig(9, 1)))).run()
    job = Job.open(tmp_path / "job", stand_in())
    job.segment(0)
    job.segment(2)
    job.assemble(allow_gaps=True, report=tmp_path / "job.json")
    first, gap, last = read(tmp_path / "job.json")["segments"]
    assert (first["retries"], first["failures"], first["passed_through"]) == (3, ["no luck"] * 3, False)
    assert (gap["retries"], gap["fps"], gap["worker"], gap["passed_through"]) == (3, 0.0, None, True)
    assert last["start"] == 40
    shifts = {sample["frame"]: sample["green"] for sample in read(tmp_path / "job.json")["colour_shift"]["samples"]}
    assert list(shifts) == list(range(0, 61, 4))
    assert not any(shifts[frame] for frame in range(20, 40, 4))
    job.assemble(allow_gaps=True, overwrite=True, report=tmp_path / "job.html")
    assert "as in the source" in (tmp_path / "job.html").read_text(encoding="ascii")


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_damaged_measurements_are_made_again(harm: str, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=40))
    job = planned(clip)
    job.run()
    first, *_ = sorted((tmp_path / "job").glob("*.measured"))
    good = first.read_bytes()
    if harm == "gone":
        first.unlink()
    else:
        first.write_bytes(good.replace(b"0", b"1", 1))
    job.segment(0)
    assert first.read_bytes() == good


@pytest.mark.parametrize(
    "edit",
    [
        lambda told: told | {"colours": [[0, float("nan"), 0.0, 0.0]]},
        lambda told: told | {"colours": [[999, 0.0, 0.0, 0.0]]},
        lambda told: told | {"stills": [[0, "<script>", ""]]},
        lambda told: told | {"faces": [{"number": 1}]},
        lambda told: told | {"format": "vfe-measured-9"},
        lambda told: [told],
    ],
)
def test_edited_measurements_end_in_one_line(edit: Any, tmp_path: Path) -> None:  # noqa: ANN401
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=20))
    job = planned(clip)
    job.run()
    (measured,), (vouching,) = (sorted((tmp_path / "job").glob(f"*.{suffix}")) for suffix in ("measured", "ok"))
    measured.write_text(json.dumps(edit(json.loads(measured.read_text()))))
    digest = hashlib.sha256(measured.read_bytes()).hexdigest()
    vouching.write_text(json.dumps(json.loads(vouching.read_text()) | {"measured": digest}))
    with pytest.raises(VFEError, match=r"\.measured: .*; delete it and restore the segment again"):
        job.assemble(report=tmp_path / "job.json")
    assert not (tmp_path / "job.json").exists()


def test_a_report_that_is_there_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=20))
    (tmp_path / "job.json").write_text("mine")
    run = WholeRun(tmp_path / "job", report=tmp_path / "job.json")
    request = request_of(clip, tmp_path / "film.mkv")
    with pytest.raises(VFEError, match=r"job\.json: exists already"):
        restore_whole(request, run, stand_in(), no_progress, lambda _: None)
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mkv", "job.json"}


def test_a_report_is_written_late_where_the_result_is_there(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=20))
    request, report = request_of(clip, tmp_path / "film.mkv"), tmp_path / "job.json"
    run = WholeRun(tmp_path / "job", keep=True, report=report)
    restore_whole(request, run, stand_in(), no_progress, lambda _: None)
    told = report.read_bytes()
    report.unlink()  # as if the run had been killed before it was written
    restore_whole(request, run, stand_in(), no_progress, lambda _: None)
    assert report.read_bytes() == told
    restore_whole(request, run, stand_in(), no_progress, lambda _: None)  # or afterwards
    report.write_text("mine")
    with pytest.raises(VFEError, match="exists already"):
        restore_whole(request, run, stand_in(), no_progress, lambda _: None)
    assert report.read_text() == "mine"
