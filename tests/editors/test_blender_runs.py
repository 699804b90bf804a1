"""What the add-on runs, follows and keeps, without Blender."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from editors.blender.vfe_restore.command import CommandError, Options, check, program, video_command
from editors.blender.vfe_restore.job_queue import Queue
from editors.blender.vfe_restore.jobs import ImagesJob, VideoJob
from editors.blender.vfe_restore.process import Progress, read_progress
from editors.blender.vfe_restore.results import Clip, find_results, free_path, record_path, short_name
from editors.blender.vfe_restore.timing import Frames, Timing
from vfe.cli.parser import build_parser

SCRIPT = """
import json, sys, time
from pathlib import Path

name, output = Path(sys.argv[2]), Path(sys.argv[sys.argv.index("-o") + 1])
if "fails" in name.name:
    sys.exit("vfe: error: fails.mp4: no video in it")
for stage in ("finding faces", "restoring"):
    for done in range(3):
        print(json.dumps({"stage": stage, "done": done, "total": 2}), file=sys.stderr, flush=True)
while "slow" in name.name:
    time.sleep(0.01)
if name.is_dir():
    output.mkdir()
    for image in name.iterdir():
        (output / f"{image.stem}.png").write_bytes(image.read_bytes())
else:
    output.write_text(" ".join(sys.argv[1:]))
print("note: 1 face restored")
"""


@pytest.fixture
def start(tmp_path: Path) -> list[str]:
    """How a stand-in for vfe is started."""
    script = tmp_path / "vfe.py"
    script.write_text(SCRIPT)
    return [sys.executable, str(script)]


def video_job(tmp_path: Path, name: str = "clip.mp4", frames: Frames = Frames(8, 20)) -> VideoJob:  # noqa: B008
    (tmp_path / name).write_bytes(b"video")
    return VideoJob(Clip.of(tmp_path / name), frames, 25.0, Options(), tmp_path / "results")


def finished(queue: Queue) -> Queue:
    until = time.monotonic() + 60
    while not queue.step():
        assert time.monotonic() < until
        time.sleep(0.01)
    return queue


def test_the_command_line_is_one_that_vfe_reads() -> None:
    options = Options("tv", "face", 0.5, 0.4, 20, "lite", "prores", "cpu")
    command = video_command(["vfe"], Path("a.mp4"), Path("b.mov"), Frames(10, 20), 25.0)
    args = build_parser().parse_args([*command[1:], *options.video_arguments(), *options.run_arguments()])
    assert (args.start, args.end) == (0.38, 0.78)
    assert (args.preset, args.region, args.codec, args.progress) == ("tv", "face", "prores", "json")
    assert (args.strength, args.fidelity, args.min_face, args.device) == (0.5, 0.4, 20, "cpu")


def test_only_what_differs_from_the_defaults_is_said() -> None:
    assert Options().video_arguments() == ("--codec", "h264")
    args = build_parser().parse_args(["enhance", "a.mp4"])
    defaults = (args.strength, args.fidelity, args.min_face)
    assert defaults == (None, None, None)


def test_all_of_a_file_has_no_ends() -> None:
    assert "--from" not in video_command(["vfe"], Path("a"), Path("b"), Frames(0, None), 25.0)
    assert "--to" not in video_command(["vfe"], Path("a"), Path("b"), Frames(3, None), 25.0)


def test_results_are_kept_and_found_again(tmp_path: Path, start: list[str]) -> None:
    job = video_job(tmp_path)
    queue = finished(Queue(start, [job]))
    assert queue.errors == {}
    result = queue.results[job]
    assert result.path.read_text().split()[:2] == ["enhance", job.clip.path]
    assert queue.notes == ["clip.mp4: 1 face restored"]
    assert {path.name for path in job.folder.iterdir()} == {result.path.name, record_path(result.path).name}
    assert job.found(Timing(1.0, 10.0, 8, 50)) == result
    assert job.found(Timing(1.0, 10.0, 20, 50)) is None


def test_a_result_of_another_file_or_options_is_none(tmp_path: Path, start: list[str]) -> None:
    job = video_job(tmp_path)
    finished(Queue(start, [job]))
    timing = Timing(1.0, 10.0, 8, 50)
    assert VideoJob(job.clip, job.frames, 25.0, Options(preset="tv"), job.folder).found(timing) is None
    (tmp_path / "clip.mp4").write_bytes(b"another video")
    assert video_job(tmp_path).clip == Clip.of(tmp_path / "clip.mp4")
    (tmp_path / "clip.mp4").write_bytes(b"a third video")
    assert VideoJob(Clip.of(tmp_path / "clip.mp4"), job.frames, 25.0, Options(), job.folder).found(timing) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "nothing",
        '{"format": "vfe-blender-1"}',
        '{"format": "vfe-blender-1", "frames": [5, 2]}',
        "[" * 9999,
    ],
)
def test_hostile_records_are_passed_over(tmp_path: Path, start: list[str], text: str) -> None:
    job = video_job(tmp_path)
    result = finished(Queue(start, [job])).results[job]
    record_path(result.path).write_text(text)
    assert list(find_results(job.folder, job.clip, job.options.video_arguments())) == []


@pytest.mark.parametrize("frames", [[-1, 5], [5, 5], [True, 5], [1.5, 5], [1], "15", None])
def test_frames_that_make_no_sense_are_passed_over(tmp_path: Path, start: list[str], frames: object) -> None:
    job = video_job(tmp_path)
    result = finished(Queue(start, [job])).results[job]
    record = json.loads(record_path(result.path).read_text())
    record_path(result.path).write_text(json.dumps({**record, "frames": frames}))
    assert list(find_results(job.folder, job.clip, job.options.video_arguments())) == []


def test_a_job_that_fails_stops_no_other(tmp_path: Path, start: list[str]) -> None:
    bad, good = video_job(tmp_path, "fails.mp4"), video_job(tmp_path)
    queue = finished(Queue(start, [bad, good]))
    assert queue.errors == {bad: "fails.mp4: fails.mp4: no video in it"}
    assert list(queue.results) == [good]


def test_what_cannot_be_started_is_one_sentence(tmp_path: Path) -> None:
    job = video_job(tmp_path)
    queue = finished(Queue([str(tmp_path / "nothing")], [job]))
    assert "No such file" in queue.errors[job]
    assert list(job.folder.iterdir()) == []


def test_a_cancelled_queue_leaves_nothing_behind(tmp_path: Path, start: list[str]) -> None:
    good, slow, last = (video_job(tmp_path, name) for name in ("clip.mp4", "slow.mp4", "last.mp4"))
    queue = Queue(start, [good, slow, last])
    until = time.monotonic() + 60
    while "slow.mp4 (2 of 3): restoring" not in queue.text:
        queue.step()
        assert time.monotonic() < until
        time.sleep(0.01)
    assert queue.share > 1 / 3
    queue.cancel()
    assert queue.step()
    assert list(queue.results) == [good]
    assert queue.errors == {}
    assert len(list(good.folder.iterdir())) == 2


def test_a_clip_that_changes_meanwhile_has_no_result(tmp_path: Path, start: list[str]) -> None:
    job = video_job(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"another video")
    queue = finished(Queue(start, [job]))
    assert "was changed while it was restored" in queue.errors[job]


def test_images_become_a_folder_of_results(tmp_path: Path, start: list[str]) -> None:
    clips = []
    for name in ("b.png", "a.png", "c.png"):
        (tmp_path / name).write_text(name)
        clips.append(Clip.of(tmp_path / name))
    job = ImagesJob(tuple(clips), Options(), tmp_path / "results")
    assert job.found() is None
    result = finished(Queue(start, [job])).results[job]
    assert [path.read_text() for path in sorted(result.path.iterdir())] == ["b.png", "a.png", "c.png"]
    assert job.found() == result


def test_somebody_elses_file_is_not_replaced(tmp_path: Path, start: list[str]) -> None:
    job = video_job(tmp_path)
    result = finished(Queue(start, [job])).results[job]
    record_path(result.path).unlink()
    other = finished(Queue(start, [job])).results[job]
    assert other.path != result.path
    assert free_path(result.path) != result.path


@pytest.mark.parametrize("line", ["", "{", "[]", '{"done": 1}', '{"stage": 1, "done": 1, "total": 2}', "{" * 9999])
def test_what_is_no_progress(line: str) -> None:
    assert read_progress(line) is None


def test_progress_is_read() -> None:
    assert read_progress('{"stage": "restoring", "done": 12, "total": null}') == Progress("restoring", 12, None)


def test_names_of_results_suit_every_system() -> None:
    assert short_name('/a/b:c*"d?.mp4') == "b_c__d_"
    assert len(short_name("x" * 300)) == 60
    assert short_name("...") != ""


def test_vfe_is_checked(tmp_path: Path) -> None:
    assert program(sys.executable)[1:] == ("-m", "vfe")
    with pytest.raises(CommandError, match="no such file"):
        program(str(tmp_path / "vfe"))
    other = tmp_path / "python3"
    other.write_text(f"#!{sys.executable}\nprint('something else')\n")
    other.chmod(0o755)
    if sys.platform != "win32":
        with pytest.raises(CommandError, match="is not vfe"):
            check(str(other))


@pytest.mark.slow
def test_the_check_knows_this_version(monkeypatch: pytest.MonkeyPatch) -> None:
    from vfe import __version__

    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert check(sys.executable) == f"vfe {__version__}"
