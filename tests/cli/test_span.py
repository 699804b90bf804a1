"""`vfe enhance --from --to`: a part of a video."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from tests.support.cli_run import assert_one_line_error, run_vfe, use_stand_in
from tests.support.clips import Clip, read_pixels, write_clip, write_image
from vfe.cli.values import read_seconds


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", Clip(frames=50))


def test_a_part_is_restored_and_followed(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, output = use_stand_in(monkeypatch, tmp_path), tmp_path / "out.mp4"
    span = ("--from", "0:00.4", "--to", "1.2", "--progress", "json")
    run = run_vfe(capsys, "enhance", clip, "-o", output, "--model", model, *span)
    assert run.code == 0, run.err
    assert "20 frames in" in run.out
    assert len(read_pixels(output)) == 20
    told = [json.loads(line) for line in run.err.splitlines()]
    assert told[0] == {"stage": "restoring", "done": 0, "total": 20}
    assert told[-1] == {"stage": "restoring", "done": 20, "total": 20}


@pytest.mark.parametrize(
    ("span", "part"),
    [(("--from", "2", "--to", "1"), "needed is an end after its start"), (("--to", "soon"), "is no time")],
)
def test_times_that_make_no_sense(
    clip: Path, capsys: pytest.CaptureFixture[str], span: tuple[str, str], part: str
) -> None:
    assert_one_line_error(run_vfe(capsys, "enhance", clip, *span), part, code=2)


def test_only_one_video_file_has_parts(tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(tmp_path / "image.png")
    for names in ((tmp_path, "-o", tmp_path / "out"), ("-", "-o", "-"), (clip, "--ray")):
        assert_one_line_error(run_vfe(capsys, "enhance", *names, "--from", "1"), "of one video file", code=2)


def test_a_job_has_no_parts(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = use_stand_in(monkeypatch, tmp_path)
    run = run_vfe(capsys, "enhance", clip, "--model", model, "--from", "1", "--job", tmp_path / "job")
    assert_one_line_error(run, "a part of a clip needs a single pass", code=2)


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("83.5", 83.5), ("1:23.5", 83.5), ("1:01:02", 3662)])
def test_clocks(text: str, seconds: float) -> None:
    assert read_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:2:3:4", "1e3", "nan", "1:", ":1", "\u0661"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no time"):
        read_seconds(text)
