"""`vfe degrade`: twins of a clip and of a folder, the list of presets, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli_run import assert_one_line_error, run_vfe
from tests.support.clips import Clip, read_pixels, write_clip
from vfe.degradations.presets import NAMES


def test_a_twin_is_made_and_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean, lq = write_clip(tmp_path / "clean.mp4"), tmp_path / "lq.mp4"
    run = run_vfe(capsys, "degrade", clean, "-o", lq, "--preset", "medium", "--seed", 7)
    assert run.code == 0
    assert run.out == f"6 frames, medium, seed 7: {lq}\n"
    content = lq.read_bytes()
    assert_one_line_error(run_vfe(capsys, "degrade", clean, "-o", lq, "--preset", "medium"), "lq.mp4")
    again = run_vfe(capsys, "degrade", clean, "-o", lq, "--preset", "medium", "--seed", 7, "--overwrite")
    assert again.code == 0
    assert lq.read_bytes() == content


def test_a_folder_of_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean, lq = tmp_path / "clean", tmp_path / "lq"
    (clean / "below").mkdir(parents=True)
    write_clip(clean / "a.mkv", Clip(frames=3))
    write_clip(clean / "below" / "b.mp4", Clip(frames=3))
    assert run_vfe(capsys, "degrade", clean, "-o", lq, "--preset", "mild", "--frames", 2).code == 0
    assert len(read_pixels(lq / "a.mp4")) == 2
    alone = tmp_path / "alone"
    (clean / "a.mkv").unlink()
    assert run_vfe(capsys, "degrade", clean, "-o", alone, "--preset", "mild", "--frames", 2).code == 0
    assert (alone / "below" / "b.mp4").read_bytes() == (lq / "below" / "b.mp4").read_bytes()


def test_two_clips_of_one_twin_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = tmp_path / "clean"
    clean.mkdir()
    for ending in ("mkv", "mp4"):
        write_clip(clean / f"a.{ending}", Clip(frames=2))
    run = run_vfe(capsys, "degrade", clean, "-o", tmp_path / "lq", "--preset", "mild")
    assert_one_line_error(run, "would be the twin of two clips")


def test_the_presets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    run = run_vfe(capsys, "degrade", "--list")
    assert run.code == 0
    assert tuple(line.split()[0] for line in run.out.splitlines()) == NAMES


def test_what_is_missing_or_wrong_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = write_clip(tmp_path / "clean.mp4", Clip(frames=2))
    lq = tmp_path / "lq.mp4"
    assert run_vfe(capsys, "degrade", clean, "-o", lq).code == 2
    assert run_vfe(capsys, "degrade", clean, "-o", lq, "--preset", "mild", "--seed", -1).code == 2
    assert_one_line_error(
        run_vfe(capsys, "degrade", clean, "-o", lq, "--preset", "nope"), "no degradation preset 'nope'"
    )
    assert_one_line_error(run_vfe(capsys, "degrade", tmp_path / "no.mp4", "-o", lq, "--preset", "mild"), "no.mp4")
    assert not lq.exists()
