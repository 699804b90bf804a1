"""`vfe enhance` of folders and globs: in this process with a stand-in pool, and with workers of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.cli_run import assert_one_line_error, run_python, run_vfe, use_stand_in
from tests.support.clips import Clip, read_pixels, write_clip, write_image
from tests.support.inline_pool import InlinePool
from tests.support.paths import ROOT

COMMAND = "tests.support.stand_in_command"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setattr("vfe.cli.enhance_folder.WorkerPool", InlinePool)
    (folder := tmp_path / "models").mkdir()
    return use_stand_in(monkeypatch, folder)


@pytest.fixture
def tapes(tmp_path: Path) -> Path:
    """Two clips, a bad one between them and a folder of frames."""
    folder = tmp_path / "tapes"
    (folder / "reel").mkdir(parents=True)
    read_pixels(write_clip(folder / "a.mp4", Clip(frames=3)))  # where no file was read before, that takes seconds
    (folder / "b.mp4").write_text("no video\n" * 99)
    write_clip(folder / "c.avi", Clip(frames=3, codec="mpeg4"))
    for index in range(2):
        write_image(folder / "reel" / f"{index}.png")
    return folder


def files(folder: Path) -> list[str]:
    """The visible files below a folder."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in paths if not path.name.startswith("."))


def test_each_clip_is_restored_and_a_bad_one_stops_none(
    model: str, tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "restored"
    run = run_vfe(capsys, "enhance", tapes, "-o", output, "--model", model)
    assert_one_line_error(run, "1 of 4 files could not be restored")
    assert files(output) == ["a.mp4", "c.mp4", "reel/0.png", "reel/1.png"]
    lines = run.out.splitlines()
    assert [line.partition(":")[0] for line in lines[:4]] == ["[1/4] a.mp4", "[2/4] b.mp4", "[3/4] c.avi", "[4/4] reel"]
    assert lines[0].startswith("[1/4] a.mp4: 3 frames in ")
    assert lines[1].startswith("[2/4] b.mp4: failed: cannot be read")
    assert lines[4:7] == ["done     3", "skipped  0", "failed   1"]
    assert lines[7].startswith("  b.mp4: cannot be read")
    brighter = read_pixels(output / "a.mp4").astype(int) - read_pixels(tapes / "a.mp4")
    assert 9 < brighter.mean() < 16


def test_the_same_line_again_does_what_is_left(
    model: str, tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ("enhance", tapes, "-o", tmp_path / "restored", "--model", model)
    run_vfe(capsys, *line)
    write_clip(tapes / "b.mp4")
    run = run_vfe(capsys, *line)
    assert (run.code, run.err) == (0, "")
    assert "b.mp4: 6 frames" in run.out
    assert run.out.count("skipped: done before") == 3
    run = run_vfe(capsys, *line, "--strength", "0.5")
    assert_one_line_error(run, "4 of 4")
    assert "another strength (1.0, now 0.5)" in run.out


def test_each_file_has_its_report(model: str, tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ("enhance", tapes, "-o", tmp_path / "restored", "--model", model, "--report")
    run_vfe(capsys, *line, tmp_path / "reports")
    assert files(tmp_path / "reports") == ["a.mp4.html", "c.mp4.html", "reel.html"]
    page = (tmp_path / "reports" / "c.mp4.html").read_text(encoding="ascii")
    assert "c.avi: restored" in page
    assert "3 of 4" not in run_vfe(capsys, *line, tmp_path / "reports").out, "what is done has its report"
    assert_one_line_error(run_vfe(capsys, *line, tmp_path / "no" / "where"), "no such folder")
    run = run_vfe(capsys, *line, tmp_path / "restored" / "*.json", "--overwrite", "--strength", "0.5")
    assert "done     3" in run.out
    assert [name for name in files(tmp_path / "restored") if name.endswith(".json")] == [
        "a.mp4.json",
        "c.mp4.json",
        "reel.json",
    ]


def test_a_dry_run_does_nothing(model: str, tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tapes / "a.vfe.yaml").write_text("strength: 0.5")
    run = run_vfe(capsys, "enhance", tapes, "-o", tmp_path / "out", "--model", model, "--dry-run")
    assert run.code == 0
    assert f"a.mp4: would be restored to {tmp_path / 'out' / 'a.mp4'}\n  with strength=0.5\n" in run.out
    assert "to be restored  4" in run.out
    assert not (tmp_path / "out").exists()


def test_options_of_a_file_reach_its_restoration(
    model: str, tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tapes / "batch.yaml").write_text('"*.avi": {strength: 0}')
    (tapes / "a.vfe.yaml").write_text("fidelity: 0.9")
    run = run_vfe(capsys, "enhance", tapes, "-o", tmp_path / "out", "--model", model)
    assert "a.mp4: failed: --fidelity 0.9 is of a part for faces" in run.out
    assert abs(read_pixels(tmp_path / "out" / "c.mp4").astype(int) - read_pixels(tapes / "c.avi")).mean() < 2


def test_a_glob_of_videos_is_a_batch(
    model: str, tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_vfe(capsys, "enhance", tapes / "[ac].*", "-o", tmp_path / "out", "--model", model, "--preset", "tv")
    assert run.code == 0, run.err
    assert files(tmp_path / "out") == ["a.mp4", "c.mp4"]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="later Pythons know what is meant")
def test_a_pattern_that_is_none(model: str, tapes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_vfe(capsys, "enhance", tapes / "a**.mp4", "-o", tapes / "out", "--model", model)
    assert_one_line_error(run, "a**.mp4: is no pattern", "'**/*.mp4'")


def test_frames_alone_are_one_clip(model: str, tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_vfe(capsys, "enhance", tapes / "reel", "-o", tmp_path / "out.mp4", "--model", model)
    assert run.code == 0, run.err
    assert run.out.startswith("2 frames in ")


def test_names_that_are_no_text_are_told_in_one_line(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tapes := tmp_path / "tapes").mkdir()
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=1))
    names = ["new\nline.mp4", "esc\x1b[31m.mp4"]
    try:
        for name in names:
            (tapes / name).write_bytes(clip.read_bytes())
    except OSError:
        pytest.skip("this disk takes no such names")
    run = run_vfe(capsys, "enhance", tapes, "-o", tmp_path / "out", "--model", model)
    assert run.code == 0, run.err
    assert r"new\nline.mp4: 1 frame" in run.out
    assert r"esc\x1b[31m.mp4: 1 frame" in run.out
    assert files(tmp_path / "out") == sorted(names)
    assert run_vfe(capsys, "enhance", tapes, "-o", tmp_path / "out", "--model", model).out.count("done before") == 2


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--compare", "both.mp4"), "--compare is of one file"),
        (("--report", "r.json"), "r.json is one report"),
        (("--job", "job"), "--job is of one file"),
        (("--watch", "--dry-run"), "--watch"),
        (("--jobs", "0"), "'0'"),
        (("--jobs", "many"), "'many'"),
        (("--strength", "2"), "strength is 2"),
        (("--window", "0"), "window is 0"),
        (("-o", "out.mp4"), "names one"),
    ],
)
def test_usage(
    arguments: tuple[str, ...], part: str, model: str, tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_vfe(capsys, "enhance", tapes, "-o", tmp_path / "out", "--model", model, *arguments)
    assert_one_line_error(run, part, code=2)


def test_options_of_folders_are_not_of_one_clip(model: str, tapes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option in (("--jobs", "2"), ("--dry-run",), ("--watch",), ("--pictures",)):
        run = run_vfe(capsys, "enhance", tapes / "a.mp4", "-o", tapes / "x.mp4", "--model", model, *option)
        assert_one_line_error(run, "--dry-run", code=2)


def test_pictures_are_restored_each_by_itself(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder := tmp_path / "portraits").mkdir()
    write_image(folder / "a.png", 48, 32)
    write_image(folder / "b.jpg", 32, 64)
    command = ("enhance", folder, "-o", tmp_path / "out", "--model", model)
    assert_one_line_error(run_vfe(capsys, *command), "or add --pictures, which restores each by itself")
    run = run_vfe(capsys, *command, "--pictures")
    assert run.code == 0
    assert files(tmp_path / "out") == ["a.png", "b.png"]
    assert read_pixels(tmp_path / "out" / "b.png").shape[1:3] == (64, 32)


def test_outputs_need_a_place_of_their_own(
    model: str, tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := tmp_path / "file").touch()
    for output, part in (
        (tapes, "folder of the inputs"),
        (tmp_path / "a" / "b", "no such folder"),
        (file, "is a file"),
    ):
        assert_one_line_error(run_vfe(capsys, "enhance", tapes, "-o", output, "--model", model), part)
    assert_one_line_error(run_vfe(capsys, "enhance", tapes / "*.mp4", "-o", tapes, "--model", model), "of the inputs")
    run = run_vfe(capsys, "enhance", tapes, "-o", tmp_path / "o", "--model", model, "--faces", "most")
    assert_one_line_error(run, "most")
    (tapes / "batch.yaml").write_text("- 1")
    assert_one_line_error(run_vfe(capsys, "enhance", tapes, "-o", tmp_path / "o", "--model", model), "batch.yaml")


def test_without_an_output_it_goes_beside_the_folder(
    model: str, tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_vfe(capsys, "enhance", tapes, "--model", model)
    assert files(tmp_path / "tapes_restored") == ["a.mp4", "c.mp4", "reel/0.png", "reel/1.png"]


def test_a_model_that_is_none_ends_the_run(
    model: str, tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    run = run_vfe(capsys, "enhance", tapes, "-o", tmp_path / "out", "--model", model, "--device", "cuda")
    assert_one_line_error(run, "'cuda'")
    assert files(tmp_path / "out") == []


# --- with processes of its own ----------------------------------------------------------------------------------------


def stand_in_model(folder: Path) -> Path:
    (path := folder / "m.safetensors").touch()
    return path


def test_many_files_do_not_go_into_one_pipe(tapes: Path, tmp_path: Path) -> None:
    run = run_python("-m", "vfe", "enhance", tapes, "-o", "-", "--model", stand_in_model(tmp_path))
    assert_one_line_error(run, "one pipe", code=2)


def test_dealing_out_the_work_does_not_wait_for_torch(tapes: Path, tmp_path: Path) -> None:
    (tapes / "batch.yaml").write_text('"*": {preset: tv}')
    script = (
        "import sys; from vfe.cli import main; code = main(sys.argv[1:]); sys.exit(code + 2 * ('torch' in sys.modules))"
    )
    line = ("enhance", tapes, "-o", tmp_path / "o", "--model", stand_in_model(tmp_path), "--dry-run")
    run = run_python("-c", script, *line)
    assert run.code == 0, run


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text, or there are no such signals")
def test_a_process_that_dies_or_has_a_bug_costs_its_file(tapes: Path, tmp_path: Path) -> None:
    for name in ("b_dies.mp4", "b_bug.mp4"):
        write_clip(tapes / name)
    no_text = os.fsdecode(b"caf\xe9.mp4")
    write_clip(tapes / "d.mp4").rename(tapes / no_text)
    output = tmp_path / "out"
    run = run_python("-m", COMMAND, "enhance", tapes, "-o", output, "--model", stand_in_model(tmp_path), "--jobs", 2)
    assert run.code == 1
    assert run.err.endswith("vfe: error: 3 of 7 files could not be restored\n")
    assert r"] caf\udce9.mp4: 6 frames" in run.out
    assert "  b_dies.mp4: its process was ended by SIGKILL" in run.out
    assert "  b_bug.mp4: its process ended with exit code 1" in run.out
    assert "shapes do not match" in run.err
    assert files(output) == ["a.mp4", "c.mp4", no_text, "reel/0.png", "reel/1.png"]
    assert [path.name for path in output.iterdir() if path.name.startswith(".")] == [".vfe-batch.jsonl"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 130), ("SIGKILL", -9)])
def test_an_interrupted_run_goes_on(name: str, code: int, tmp_path: Path) -> None:
    (tapes := tmp_path / "tapes").mkdir()
    write_clip(tapes / "a.mp4", Clip(frames=2))
    write_clip(tapes / "slow.mp4", Clip(frames=2))
    output = tmp_path / "out"
    command = [sys.executable, "-m", COMMAND, "enhance", tapes, "-o", output, "--model", stand_in_model(tmp_path)]
    with subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "working\n":
            pass
        for _ in range(1 if name == "SIGKILL" else 2):  # people press Ctrl-C twice
            process.send_signal(getattr(signal, name))
            time.sleep(0.02)
        out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert "Traceback" not in err
    if name != "SIGKILL":
        assert "interrupted  1" in out
        assert err.endswith("vfe: interrupted\n")
    assert files(output) in (["a.mp4"], ["a.mp4", "slow.mp4"])
    again = run_python("-m", COMMAND, "enhance", tapes, "-o", output, "--model", tmp_path / "m.safetensors")
    assert again.code == 0, again.err
    assert "a.mp4: skipped: done before" in again.out
    assert files(output) == ["a.mp4", "slow.mp4"]
    assert [path.name for path in output.iterdir() if path.name.startswith(".")] == [".vfe-batch.jsonl"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals")
def test_a_watched_folder(tmp_path: Path) -> None:
    (tapes := tmp_path / "tapes").mkdir()
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=2))
    output = tapes / "restored"
    command = [sys.executable, "-m", COMMAND, "enhance", tapes, "-o", output, "--watch"]
    command += ["--model", stand_in_model(tmp_path)]
    with subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for name in ("a.mp4", "b.mp4"):
            (tapes / name).write_bytes(clip.read_bytes())
            assert f"{name}: 2 frames in" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out == "done     2\nskipped  0\nfailed   0\n"
    assert files(tapes) == ["a.mp4", "b.mp4", "restored/a.mp4", "restored/b.mp4"]
