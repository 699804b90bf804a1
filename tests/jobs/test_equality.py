"""A film that is assembled of segments has the bytes of one pass over it, in whatever order they were restored."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import av
import pytest
import torch

from tests.support.clips import Clip, write_clip, write_image
from tests.support.small_jobs import faces_of_list, request_of, single_pass, stand_in
from vfe.jobs.job import Job
from vfe.jobs.whole import WholeRun, restore_whole
from vfe.options import RestoreOptions
from vfe.types import no_progress
from vfe.video.read import open_source


@pytest.mark.parametrize("cuts", [(), (7, 21, 44)])
@pytest.mark.parametrize("region", ["frame", "face", "auto"])
@pytest.mark.parametrize("count", [1, pytest.param(60, marks=pytest.mark.slow), 61])
def test_a_job_gives_the_bytes_of_one_pass(count: int, region: str, cuts: tuple[int, ...], tmp_path: Path) -> None:
    cuts = tuple(cut for cut in cuts if cut < count)
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=count, audio=True))
    tracks = faces_of_list(tmp_path / "faces.json", count, cuts)
    options = RestoreOptions(region=region, tracks=tracks)  # type: ignore[arg-type]
    restorer = stand_in(knows_faces=True)
    request = request_of(clip, tmp_path / "job.mp4", frames=17, options=options)
    job = Job.plan(request, tmp_path / "job", restorer)
    numbers = list(range(len(job.planned.segments)))
    random.Random(count).shuffle(numbers)
    for number in numbers:
        assert Job.open(tmp_path / "job", restorer).segment(number).frames == len(job.planned.segments[number])
    report = Job.open(tmp_path / "job", restorer).assemble()
    assert (tmp_path / "job.mp4").read_bytes() == single_pass(clip, restorer, options)
    assert report.frames == count
    assert len(numbers) >= (1 if count == 1 else 3)


@pytest.mark.parametrize("codec", ["h264", "h265", "ffv1"])
@pytest.mark.parametrize("scale", [None, 0.5])
def test_every_codec_gets_the_same_pictures(codec: str, scale: float | None, tmp_path: Path) -> None:
    pts = tuple(40 * index + 7 * (index % 3) for index in range(30))  # a variable rate
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=30, audio=True, pix_fmt="yuv420p10le", pts=pts))
    options = RestoreOptions(codec=codec, scale=scale)  # type: ignore[arg-type]
    job = Job.plan(request_of(clip, tmp_path / "job.mkv", frames=8, options=options), tmp_path / "job", stand_in())
    job.run()
    report = job.assemble()
    assert (tmp_path / "job.mkv").read_bytes() == single_pass(clip, stand_in(), options)
    assert report.notes == stand_in().restore_file(clip, tmp_path / "again.mkv", options).notes


@pytest.mark.parametrize("is_video", [True, False])
def test_images_come_out_as_of_one_pass(is_video: bool, tmp_path: Path) -> None:
    source = tmp_path / "in"
    if is_video:
        source = write_clip(tmp_path / "in.mkv", Clip(frames=25))
    else:
        source.mkdir()
        for index in range(25):
            write_image(source / f"shot{index}.png", pix_fmt="rgba")
    job = Job.plan(request_of(source, tmp_path / "job_out", frames=8), tmp_path / "job", stand_in())
    job.run()
    report = job.assemble()
    expected = stand_in().restore_file(source, tmp_path / "one")
    images = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("job_out", "one")]
    assert len(images[0]) == 25
    assert images[0] == images[1]
    assert report.notes == expected.notes


def test_a_damaged_source_is_told_of_as_in_one_pass(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=61))
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size * 3 // 4])
    job = Job.plan(request_of(clip, tmp_path / "job.mkv"), tmp_path / "job", stand_in())
    job.run()
    report, expected = job.assemble(), stand_in().restore_file(clip, tmp_path / "one.mkv")
    assert report.lost
    assert report.lost == expected.lost
    assert report.notes == expected.notes
    assert (tmp_path / "job.mkv").read_bytes() == (tmp_path / "one.mkv").read_bytes()


@pytest.mark.parametrize("region", ["face", "auto"])
@pytest.mark.parametrize("harm", ["bits", "hole"])
def test_a_damaged_source_gives_the_bytes_of_one_pass(harm: str, region: str, tmp_path: Path) -> None:
    """Of damaged frames that are decoded from memory which other frames have left, too."""
    clip = damaged(write_clip(tmp_path / "clip.mp4", Clip(frames=61, audio=True)), harm)
    with open_source(clip) as source:
        count = sum(1 for _ in source)
    options = RestoreOptions(region=region, tracks=faces_of_list(tmp_path / "faces.json", count, (21,)))  # type: ignore[arg-type]
    restorer = stand_in(knows_faces=True)
    job = Job.plan(request_of(clip, tmp_path / "job.mp4", frames=17, options=options), tmp_path / "job", restorer)
    assert job.survey.frames.sound is not None, "the harm is seen"
    job.run()
    report, expected = job.assemble(), restorer.restore_file(clip, tmp_path / "again.mp4", options)
    assert (tmp_path / "job.mp4").read_bytes() == single_pass(clip, restorer, options)
    assert (report.notes, report.lost) == (expected.notes, expected.lost)


def damaged(clip: Path, harm: str) -> Path:
    """Flip bits of a dozen frames of a clip, or lose a piece of it."""
    data, chance = bytearray(clip.read_bytes()), random.Random(5)
    if harm == "bits":
        for start, end in _frame_bytes(clip)[20:32]:
            for _ in range(3):
                data[chance.randrange((start + end) // 2, end)] ^= 1 << chance.randrange(8)
    else:
        data[len(data) // 2 : len(data) // 2 + len(data) // 20] = bytes(len(data) // 20)
    clip.write_bytes(data)
    return clip


def _frame_bytes(clip: Path) -> list[tuple[int, int]]:
    """Where in the file the coded frames lie: a flipped bit of the sound would be heard by no test of frames."""
    with av.open(clip) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size and packet.pos is not None]
    return [(packet.pos, packet.pos + packet.size) for packet in packets]


@pytest.fixture(scope="module")
def workers() -> Iterator[list[ProcessPoolExecutor]]:
    """Three processes, each with a queue of its own."""
    spawn = get_context("spawn")  # a fork of a process whose threads compute may wait for them for ever
    with ExitStack() as stack:
        yield [stack.enter_context(ProcessPoolExecutor(1, spawn)) for _ in range(3)]


@pytest.mark.slow
@pytest.mark.parametrize("faces", ["none", "beside", "alone"])
@pytest.mark.parametrize("cuts", [(), (133, 250, 421)])
def test_500_frames_in_any_order_by_any_split(
    faces: str, cuts: tuple[int, ...], workers: list[ProcessPoolExecutor], tmp_path: Path
) -> None:
    """Segments in random order, each by a random one of one to three processes, and one of them twice."""
    clip, chance = write_clip(tmp_path / "clip.mkv", Clip(frames=500, cuts=cuts)), random.Random(len(cuts))
    restorer, region = stand_in(knows_faces=faces == "beside"), "face" if faces == "alone" else "frame"
    tracks = None if faces == "none" else faces_of_list(tmp_path / "faces.json", 500, cuts)
    options = RestoreOptions(region=region, tracks=tracks)  # type: ignore[arg-type]
    expected = single_pass(clip, restorer, options)
    request = request_of(clip, tmp_path / "job.mkv", frames=60, options=options)
    numbers = list(range(len(Job.plan(request, tmp_path / "planned", restorer).planned.segments)))
    assert len(numbers) >= 7
    for processes in (1, 2, 3):
        folder = tmp_path / f"job{processes}"
        shutil.copytree(tmp_path / "planned", folder)
        order = [*chance.sample(numbers, len(numbers)), chance.choice(numbers)]
        chosen = [workers[place % processes] for place in chance.sample(range(len(order)), len(order))]
        runs = [each.submit(_segment, folder, number, faces) for each, number in zip(chosen, order, strict=True)]
        assert len({run.result(300) for run in runs}) == processes
        Job.open(folder, restorer).assemble(overwrite=True)
        assert (tmp_path / "job.mkv").read_bytes() == expected


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_a_job(processes: int, tmp_path: Path) -> None:
    """Each takes a segment that no other works on; two that take the same one do no harm."""
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=500))
    options = RestoreOptions(region="face", tracks=faces_of_list(tmp_path / "faces.json", 500, (133, 250)))
    job = Job.plan(request_of(clip, tmp_path / "job.mkv", frames=60, options=options), tmp_path / "job", stand_in())
    spawn = get_context("spawn")  # a fork of a process whose threads compute may wait for them for ever
    workers = [spawn.Process(target=_work, args=(tmp_path / "job",)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    job.assemble()
    assert (tmp_path / "job.mkv").read_bytes() == single_pass(clip, stand_in(), options)
    assert not list((tmp_path / "job").glob("*.held"))


@pytest.mark.slow
def test_runs_of_the_same_line_share_the_work(tmp_path: Path) -> None:
    """They plan, restore, assemble and tidy up at once, and all of them end well."""
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=200))
    spawn = get_context("spawn")  # a fork of a process whose threads compute may wait for them for ever
    at_once = spawn.Barrier(3)  # one that starts when the others are done finds a film that exists
    runs = [spawn.Process(target=_restore, args=(clip, tmp_path / "film.mkv", at_once)) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(120)
    assert [run.exitcode for run in runs] == [0, 0, 0]
    assert (tmp_path / "film.mkv").read_bytes() == single_pass(clip, stand_in())
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mkv", "film.mkv", "one.mkv"}


def _restore(clip: Path, result: Path, at_once: Barrier) -> None:
    at_once.wait(120)
    request, run = request_of(clip, result, frames=30), WholeRun(clip.with_name("job"))
    restore_whole(request, run, stand_in(), no_progress, lambda _: None)


def _work(folder: Path) -> None:
    Job.open(folder, stand_in()).run()


def _segment(folder: Path, number: int, faces: str) -> int:
    """Restore a segment, and return the number of this process."""
    torch.set_num_threads(1)
    Job.open(folder, stand_in(knows_faces=faces == "beside")).segment(number)
    return os.getpid()
