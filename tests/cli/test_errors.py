"""What `vfe` says about input that it cannot use: one line, the right exit code, and no file left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.support.cli_run import BrightenPipeline, assert_one_line_error, run_vfe, use_stand_in
from tests.support.clips import Clip, write_audio, write_clip


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    folder = tmp_path / "models"
    folder.mkdir()
    return use_stand_in(monkeypatch, folder)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def empty_mkv(path: Path) -> Path:
    """A video stream without a frame: the header of a clip."""
    data = write_clip(path).read_bytes()
    path.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])  # up to the first Matroska cluster
    return path


def not_a_video(path: Path) -> Path:
    path.write_text("this is no video\n" * 100)
    return path


def truncated(path: Path) -> Path:
    """An MP4 cut in the middle: its index, which comes last, is missing."""
    data = write_clip(path, Clip(frames=30)).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def nothing(path: Path) -> Path:
    path.touch()
    return path


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("missing.mp4", lambda path: path),
        ("text.mp4", not_a_video),
        ("text.png", not_a_video),
        ("empty.mp4", nothing),
        ("cut.mp4", truncated),
        ("no_frames.mkv", empty_mkv),
        ("sound.m4a", write_audio),
        ("*.jpg", lambda path: path),
        ("folder", lambda path: path.mkdir()),
    ],
)
def test_unusable_input(
    name: str, make: Callable[[Path], object], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / name)
    before = names(tmp_path)
    run = run_vfe(capsys, "enhance", tmp_path / name, "-o", tmp_path / "out.mp4", "--model", model)
    assert_one_line_error(run, name)
    assert names(tmp_path) == before


def test_output_folder_missing(model: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "nowhere" / "out.mp4", "--model", model)
    assert_one_line_error(run, "nowhere")


def test_output_folder_read_only(
    model: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):  # root may write everywhere, and so may users on Windows
        monkeypatch.setattr("vfe.video.target.os.access", lambda path, _: Path(path) != folder)
    try:
        run = run_vfe(capsys, "enhance", clip, "-o", folder / "out.mp4", "--model", model)
    finally:
        folder.chmod(0o700)
    assert_one_line_error(run, "locked")
    assert names(folder) == set()


@pytest.mark.parametrize("option", ["-o", "--compare"])
def test_existing_file_is_kept(
    option: str, model: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there.mp4"
    there.write_bytes(b"mine")
    output = [] if option == "-o" else ["-o", tmp_path / "out.mp4"]
    arguments = ("enhance", clip, option, there, *output, "--model", model)
    assert_one_line_error(run_vfe(capsys, *arguments), "there.mp4", "--overwrite")
    assert there.read_bytes() == b"mine"
    assert not (tmp_path / "out.mp4").exists()
    assert run_vfe(capsys, *arguments, "--overwrite").code == 0
    assert there.stat().st_size > 4


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_input_equals_output(overwrite: list[str], model: str, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = clip.read_bytes()
    again = clip.parent / "models" / ".." / clip.name
    assert_one_line_error(run_vfe(capsys, "enhance", clip, "-o", again, "--model", model, *overwrite), clip.name)
    assert clip.read_bytes() == data


def test_compare_must_be_another_file(
    model: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for other in (clip, tmp_path / "out.mp4"):
        run = run_vfe(
            capsys, "enhance", clip, "-o", tmp_path / "out.mp4", "--model", model, "--compare", other, "--overwrite"
        )
        assert_one_line_error(run, other.name)


@pytest.mark.parametrize(("option", "value"), [("--size", "1000000x1000000"), ("--scale", "100000")])
def test_absurd_size(
    option: str, value: str, model: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "out.mp4", "--model", model, option, value)
    assert_one_line_error(run)
    assert names(tmp_path) == {"clip.mp4", "models"}


def test_unknown_model(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "out.mp4", "--model", "huge")
    assert_one_line_error(run, "'huge'", "available: ")
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "out.mp4", "--model", tmp_path / "no.safetensors")
    assert_one_line_error(run, "no.safetensors", "not found")


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"\x10\x00\x00\x00\x00\x00\x00\x00{not json at all"])
def test_corrupt_model(content: bytes, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "out.mp4", "--model", path)
    assert_one_line_error(run, "bad.safetensors")


def test_cuda_that_is_not_there(
    model: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "out.mp4", "--model", model, "--device", "cuda")
    assert_one_line_error(run, "'cuda'", "--device cpu")


class FailingPipeline(BrightenPipeline):
    """Fails after a few frames, as a full memory does."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def stream(self, frames: Iterable[Tensor], *, strength: float = 1.0, **_: object) -> Iterator[Tensor]:
        for done, frame in enumerate(super().stream(frames, strength=strength)):
            if done == 2:
                raise self.error
            yield frame


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate\n20.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
)
def test_out_of_memory(
    error: BaseException,
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = use_stand_in(monkeypatch, tmp_path, FailingPipeline(error))
    before = names(tmp_path)
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "out.mp4", "--model", model)
    assert_one_line_error(run, "out of memory", "--window")
    assert names(tmp_path) == before


def test_a_bug_keeps_its_traceback(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vfe.cli import main

    model = use_stand_in(monkeypatch, tmp_path, FailingPipeline(RuntimeError("shapes do not match")))
    before = names(tmp_path)
    with pytest.raises(RuntimeError, match="shapes"):
        main(["enhance", str(clip), "-o", str(tmp_path / "out.mp4"), "--model", model])
    assert names(tmp_path) == before


def test_failure_keeps_the_old_output(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = use_stand_in(monkeypatch, tmp_path, FailingPipeline(MemoryError()))
    output = tmp_path / "out.mp4"
    output.write_bytes(b"old")
    both = tmp_path / "both.mp4"
    run = run_vfe(capsys, "enhance", clip, "-o", output, "--model", model, "--overwrite", "--compare", both)
    assert run.code == 1
    assert output.read_bytes() == b"old"
    assert not both.exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--strength", "1.5"), "strength is 1.5"),
        (("--strength", "-0.1"), "strength is -0.1"),
        (("--strength", "nan"), "strength is nan"),
        (("--size", "0x0"), "0x0"),
        (("--size", "512"), "'512'"),
        (("--size", "8x8", "--scale", "2"), "not allowed with"),
        (("--scale", "0"), "scale is 0"),
        (("--scale", "inf"), "scale is inf"),
        (("--crf", "99"), "crf is 99"),
        (("--codec", "divx"), "divx"),
        (("--device", "tpu"), "tpu"),
        (("--dtype", "int8"), "int8"),
        (("--window", "9", "--overlap", "9"), "9"),
        (("--window", "0"), "window is 0"),
        (("--lora", "a.safetensors:101"), "LoRA strength is 101"),
        (("--min-face", "20000"), "min_face=20000"),
        (("--window", "-3"), "-3"),
        (("more.mp4",), "more.mp4"),
        (("-o", ""), "empty"),
    ],
)
def test_usage_errors(
    arguments: tuple[str, ...], part: str, model: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "out.mp4", "--model", model, *arguments)
    assert_one_line_error(run, part, code=2)


def test_unquoted_glob_gets_advice(model: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second = shutil.copy(clip, tmp_path / "second.mp4")
    run = run_vfe(capsys, "enhance", clip, second, "-o", tmp_path / "out.mp4", "--model", model)
    assert_one_line_error(run, "quotes", code=2)
