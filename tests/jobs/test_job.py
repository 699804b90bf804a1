"""What happens to a job when something goes wrong: a disk, a chunk, a segment, memory, a source that changes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.support.clips import Clip, read_pixels, write_clip
from tests.support.mixing_pipeline import MixingPipeline
from tests.support.small_jobs import STAND_IN, planned, request_of, single_pass, stand_in
from tests.support.tiny_lite import tiny_lite
from vfe.files.fingerprint import fingerprint
from vfe.jobs.job import Job
from vfe.jobs.leftovers import remove_rest
from vfe.jobs.missing import SegmentsMissing
from vfe.jobs.records import Held, SegmentFiles
from vfe.jobs.status import State
from vfe.jobs.whole import WholeRun, restore_whole
from vfe.jobs.work import TryFailed
from vfe.jobs.worker import Worker
from vfe.loading.request import LoadRequest
from vfe.options import RestoreOptions
from vfe.pipeline.one_step import OneStepPipeline
from vfe.pipeline.windows import WindowConfig
from vfe.restore.restorer import Restorer
from vfe.types import CheckCancelled, VFEError, no_progress


class Failing(MixingPipeline):
    """Raises an error for windows of this number and later ones."""

    def __init__(self, error: BaseException, first: int = 0, last: int = 10**9) -> None:
        super().__init__(WindowConfig(9, 1))
        self.error, self.bad = error, range(first, last)

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        if self.windows in self.bad:
            self.windows += 1
            raise self.error
        return super().restore_window(frames, strength, check)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mkv", Clip(frames=61))


def chunks(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.chunk"))


def test_done_segments_are_not_done_again(clip: Path, tmp_path: Path) -> None:
    planned(clip).run()
    idle = stand_in()
    job = Job.open(tmp_path / "job", idle)
    job.run()
    assert job.segment(1).frames == 20
    assert isinstance(idle.pipeline, MixingPipeline)
    assert idle.pipeline.windows == 0


def flipped(data: bytes) -> bytes:
    return data[:300] + bytes(byte ^ 1 for byte in data[300:302]) + data[302:]


@pytest.mark.parametrize("harm", [lambda data: data[:-9], flipped, lambda _: b""])
def test_a_damaged_chunk_is_found_and_made_again(harm: Callable[[bytes], bytes], clip: Path, tmp_path: Path) -> None:
    job = planned(clip)
    job.run()
    bad = chunks(tmp_path / "job")[1]
    bad.write_bytes(harm(bad.read_bytes()))
    with pytest.raises(SegmentsMissing, match="segment 1 is not restored"):
        job.assemble()
    assert not (tmp_path / "job.mkv").exists()
    job.run()
    job.assemble()
    assert (tmp_path / "job.mkv").read_bytes() == single_pass(clip, stand_in())


def test_a_segment_that_fails_is_marked_and_the_rest_goes_on(clip: Path, tmp_path: Path) -> None:
    planned(clip)
    broken = Failing(RuntimeError("CUDA error: an illegal memory access"), 3, 4)  # in the second segment, once
    job = Job.open(tmp_path / "job", Restorer(broken))
    job.run()
    assert [segment.state for segment in job.status().segments] == [State.DONE] * 3
    shutil.rmtree(tmp_path / "job")
    planned(clip)
    job = Job.open(tmp_path / "job", Restorer(Failing(RuntimeError("CUDA error: an illegal memory access"), 3)))
    job.run()
    states = [segment.state for segment in job.status().segments]
    assert states == [State.DONE, State.FAILED, State.FAILED]
    assert job.status().segments[1].failures == ("CUDA error: an illegal memory access",) * 3
    with pytest.raises(SegmentsMissing, match=r"2 segments \(1, 2\).*illegal memory.*--allow-gaps"):
        job.assemble()


def test_gaps_are_those_of_the_source_where_that_is_allowed(clip: Path, tmp_path: Path) -> None:
    job = planned(clip, options=RestoreOptions(codec="ffv1"))
    job.segment(0)
    job.segment(2)
    report = job.assemble(allow_gaps=True)
    assert any("frames 20 to 39 are those of the source" in note for note in report.notes)
    film, source = read_pixels(tmp_path / "job.mkv").astype(int), read_pixels(clip)
    assert abs(film[20:40] - source[20:40]).mean() < 1
    assert abs(film[:20] - source[:20]).mean() > 5
    job.segment(1)
    job.assemble(overwrite=True)
    assert (tmp_path / "job.mkv").read_bytes() == single_pass(clip, stand_in(), RestoreOptions(codec="ffv1"))


def test_a_whole_run_keeps_its_job_where_there_are_gaps(clip: Path, tmp_path: Path) -> None:
    request, broken = request_of(clip, tmp_path / "out.mkv"), Restorer(Failing(VFEError("no luck"), 3))
    with pytest.raises(SegmentsMissing, match="no luck"):
        restore_whole(request, WholeRun(tmp_path / "job"), broken, no_progress, print)
    report = restore_whole(request, WholeRun(tmp_path / "job", allow_gaps=True), broken, no_progress, print)
    assert any("frames 20 to 39 are those of the source" in note for note in report.notes)
    assert "may still be restored" in report.notes[-1]
    Job.open(tmp_path / "job", stand_in()).segment(1)
    Job.open(tmp_path / "job", stand_in()).segment(2)
    restore_whole(request, WholeRun(tmp_path / "job", overwrite=True), stand_in(), no_progress, print)
    assert (tmp_path / "out.mkv").read_bytes() == single_pass(clip, stand_in())
    assert not (tmp_path / "job").exists()


def test_a_failed_segment_can_be_tried_by_hand(clip: Path, tmp_path: Path) -> None:
    planned(clip)
    job = Job.open(tmp_path / "job", Restorer(Failing(VFEError("no luck"))))
    for _ in range(3):
        with pytest.raises(TryFailed, match="no luck"):
            job.segment(2)
    assert job.status().segments[2].state is State.FAILED
    Job.open(tmp_path / "job", stand_in()).segment(2)
    assert job.status().segments[2].state is State.DONE
    assert job.status().segments[2].failures == ()


def test_another_source_is_refused(clip: Path) -> None:
    job = planned(clip)
    os.utime(clip, (1, 1))
    with pytest.raises(VFEError, match=r"was changed since the job was planned \(mtime_ns"):
        job.segment(0)
    write_clip(clip, Clip(frames=61, rate=24))
    with pytest.raises(VFEError, match="was changed"):
        job.assemble(allow_gaps=True)


def test_a_source_that_changed_unseen_is_found_by_its_frames(clip: Path, tmp_path: Path) -> None:
    job = planned(clip)
    data, times = bytearray(clip.read_bytes()), clip.stat()
    data[len(data) // 2 : len(data) // 2 + 50] = b"\0" * 50
    clip.write_bytes(data)
    os.utime(clip, ns=(times.st_atime_ns, times.st_mtime_ns))
    raw = json.loads((tmp_path / "job" / "job.json").read_text())
    raw["order"]["source"]["sha256"] = fingerprint(clip)  # as if what changed was in none of the pieces
    (tmp_path / "job" / "job.json").write_text(json.dumps(raw))
    job = Job.open(tmp_path / "job", stand_in())
    job.run()
    assert State.FAILED in {segment.state for segment in job.status().segments}


def test_it_refuses_another_kind_of_arithmetic(clip: Path, tmp_path: Path) -> None:
    planned(clip)
    raw = json.loads((tmp_path / "job" / "job.json").read_text())
    raw["arithmetic"] |= {"device": "cuda", "dtype": "bf16"}
    (tmp_path / "job" / "job.json").write_text(json.dumps(raw))
    with pytest.raises(VFEError, match="planned for cuda in bf16"):
        Job.open(tmp_path / "job", stand_in()).segment(0)


def test_other_windows_than_planned_are_not_taken(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose windows follow from the memory is loaded again with those of the plan."""
    planned(clip)
    asked: list[WindowConfig | None] = []

    def load(request: LoadRequest, _: object) -> MixingPipeline:
        asked.append(request.window)
        return MixingPipeline(request.window)

    monkeypatch.setattr("vfe.restore.restorer.load_pipeline", load)
    job = Job.open(tmp_path / "job", Restorer(MixingPipeline(WindowConfig(5, 1))))
    job.run()
    job.assemble()
    assert asked == [WindowConfig(9, 1)]
    assert (tmp_path / "job.mkv").read_bytes() == single_pass(clip, stand_in())


def test_what_is_worked_on_is_left_alone(clip: Path, tmp_path: Path) -> None:
    job = planned(clip)
    files = SegmentFiles(tmp_path / "job", job.planned.segment_id(0))
    files.hold(Held(Worker.this(), 0.0, 7))
    assert job._next() == 1
    assert job.status().segments[0].state is State.RUNNING
    assert job.status().done == 7
    files.hold(Held(replace(Worker.this(), began=1.0), 0.0, 7))  # a process of that number, but an earlier one
    assert job._next() == 0
    files.hold(Held(replace(Worker.this(), host="elsewhere"), 0.0, 7))
    assert job._next() == 1
    os.utime(tmp_path / "job" / f"{files.id}.held", (1, 1))
    assert job._next() == 0, "nothing was heard of it for years"


def test_parts_of_processes_that_died_are_removed(clip: Path) -> None:
    job = planned(clip)
    mine = job._files(0).aside()
    dead = mine.with_name(mine.name.replace(f"-{os.getpid()}", "-999999999"))
    elsewhere = mine.with_name(f".{job._files(0).id}.00000000-999999999.part")
    for path in (mine, dead, elsewhere):
        path.write_bytes(b"half a chunk")
    job.run()
    assert not dead.exists()
    assert elsewhere.exists()


def test_what_others_put_into_the_folder_stays(clip: Path, tmp_path: Path) -> None:
    job = planned(clip)
    job.run()
    (tmp_path / "job" / "notes.txt").write_text("mine")
    job.remove()
    assert [path.name for path in (tmp_path / "job").iterdir()] == ["notes.txt"]
    with pytest.raises(VFEError, match="is in use"):
        planned(clip)


def test_what_is_written_while_another_deletes_goes_too(clip: Path, tmp_path: Path) -> None:
    job, folder = planned(clip), tmp_path / "job"
    held = folder / f"{job._files(0).id}.held"
    held.write_text("{}")
    remove_rest(folder)
    assert held.exists(), "a job that others work on"
    job.remove()
    folder.mkdir(exist_ok=True)
    held.write_text("{}")
    remove_rest(folder)
    assert not folder.exists()
    remove_rest(folder)
    job.remove()


def test_a_result_of_another_kind_is_refused(clip: Path, tmp_path: Path) -> None:
    job = planned(clip)
    with pytest.raises(VFEError, match=r"planned for \.mkv"):
        job.assemble(tmp_path / "film.mp4")
    with pytest.raises(VFEError, match="no segment 3"):
        job.segment(3)


def test_a_result_that_exists_is_not_touched(clip: Path, tmp_path: Path) -> None:
    job = planned(clip)
    job.run()
    (tmp_path / "job.mkv").write_text("another film")
    with pytest.raises(VFEError, match="exists already"):
        job.assemble()
    assert (tmp_path / "job.mkv").read_text() == "another film"
    assert job.assemble(overwrite=True).frames == 61


def test_one_image_needs_no_job(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=1))
    with pytest.raises(VFEError, match="no job is needed"):
        Job.plan(request_of(clip, tmp_path / "out.png"), tmp_path / "job", stand_in())
    assert not (tmp_path / "job").exists()


def test_requests_that_make_no_sense() -> None:
    for changes in ({"segment_frames": 0}, {"chunks": "zip"}):
        with pytest.raises(ValueError, match="needed is"):
            replace(request_of(Path("a"), Path("b")), **changes)
    assert STAND_IN.from_json(json.loads(json.dumps(STAND_IN.to_json()))) == STAND_IN


def test_short_memory_becomes_shorter_windows(tmp_path: Path) -> None:
    """Shorter windows change the arithmetic: the segment's record and the notes of the film say so."""
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=61))
    restorer = Restorer(OneStepPipeline(tiny_lite(0.02).fold(torch.float32), WindowConfig(25, 5), tile=None))
    job = Job.plan(request_of(clip, tmp_path / "job.mkv"), tmp_path / "job", restorer)
    job.segment(0)
    assert isinstance(restorer.pipeline, OneStepPipeline)
    short = OneStepPipeline(restorer.pipeline.model, WindowConfig(25, 5), tile=None)
    encode = short.model.codec.encode

    def encode_little(clip: Tensor, check: CheckCancelled) -> Tensor:
        if clip.shape[2] > 13:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return encode(clip, check)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(short.model.codec, "encode", encode_little)
        record = Job.open(tmp_path / "job", Restorer(short)).segment(1)
    assert record.arithmetic.window == WindowConfig.of(13)
    job.segment(2)
    report = job.assemble()
    assert [note for note in report.notes if note.startswith("frames 20 to 39 were restored with window 13 frames")]
    assert (tmp_path / "job.mkv").read_bytes() != single_pass(clip, restorer)


def test_memory_that_is_short_for_every_window_fails_the_try(clip: Path, tmp_path: Path) -> None:
    planned(clip)
    job = Job.open(tmp_path / "job", Restorer(Failing(MemoryError())))
    with pytest.raises(TryFailed, match="out of memory"):
        job.segment(0)
    assert not list((tmp_path / "job").glob(".*.part"))


def test_what_the_machine_has_otherwise_is_noted(clip: Path, tmp_path: Path) -> None:
    job = planned(clip)
    job.run()
    record = next((tmp_path / "job").glob("00001-*.ok"))
    raw = json.loads(record.read_text())
    raw["arithmetic"]["torch"] = "1.0"
    record.write_text(json.dumps(raw))
    notes = job.assemble().notes
    assert any("frames 20 to 39 were restored with torch 1.0 instead of" in note for note in notes)
