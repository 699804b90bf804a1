"""A run with a report: the same film, every number in JSON, and names that do no harm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import skimage.data
from PIL import Image

from tests.support.cli_run import BrightenPipeline, assert_one_line_error, run_vfe, use_stand_in
from tests.support.clips import Clip, write_clip
from vfe.options import RestoreOptions
from vfe.restore.restorer import Restorer, load
from vfe.types import Cancelled, VFEError

BRIGHTER_LEVELS = 0.1 * 127.5


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The folder of a run of 20 frames by a stand-in that brightens, and the report that it wrote."""
    folder = tmp_path_factory.mktemp("run")
    clip = write_clip(folder / "clip.mp4", Clip(frames=20))
    options = RestoreOptions(report=folder / "report.json", codec="ffv1")
    Restorer(BrightenPipeline()).restore_file(clip, folder / "out.mkv", options)
    yield folder, json.loads((folder / "report.json").read_text(encoding="utf-8"))


def test_a_report_changes_no_pixel(run: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = run
    Restorer(BrightenPipeline()).restore_file(folder / "clip.mp4", folder / "plain.mkv", RestoreOptions(codec="ffv1"))
    assert (folder / "plain.mkv").read_bytes() == (folder / "out.mkv").read_bytes()


def test_it_says_what_was_restored(run: tuple[Path, dict[str, Any]]) -> None:
    _, report = run
    assert report["format"] == "vfe-report-1"
    assert report["source"] == {"name": "clip.mp4", "kind": "video", "width": 64, "height": 48, "rate": 25.0}
    assert report["output"] == {"name": "out.mkv", "width": 64, "height": 48}
    assert report["options"]["codec"] == "ffv1"
    assert "report" not in report["options"]
    assert report["model"] == {"name": "", "faces": None}
    assert report["segments"] == [
        {
            "start": 0,
            "stop": 20,
            "seconds": report["seconds"],
            "fps": report["fps"],
            "retries": 0,
            "failures": [],
            "worker": None,
            "passed_through": False,
        }
    ]


def test_it_measures_the_colours_of_some_frames(run: tuple[Path, dict[str, Any]]) -> None:
    shift = run[1]["colour_shift"]
    assert [sample["frame"] for sample in shift["samples"]] == [0, 4, 8, 12, 16]
    assert shift["green"] == pytest.approx(BRIGHTER_LEVELS, abs=0.6)  # what is over white is cut off


def test_faces_that_nobody_looked_for_are_null(run: tuple[Path, dict[str, Any]]) -> None:
    assert run[1]["faces"] is None
    assert run[1]["likeness"] is None


def test_the_stages_make_up_the_time(run: tuple[Path, dict[str, Any]]) -> None:
    report = run[1]
    assert set(report["stages"]) == {"find_faces", "decode", "restore", "encode", "measure"}
    assert 0 < sum(report["stages"].values()) <= report["seconds"]
    assert report["memory"]["process"] > 10_000_000


def test_names_are_checked_before_anything_is_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, model = write_clip(tmp_path / "clip.mp4"), use_stand_in(monkeypatch, tmp_path)
    out, there = tmp_path / "out.mp4", tmp_path / "there.json"
    there.write_text("mine", encoding="utf-8")

    def fails(report: Path, *parts: str, code: int = 1) -> None:
        run = run_vfe(capsys, "enhance", clip, "-o", out, "--model", model, "--report", report)
        assert_one_line_error(run, *parts, code=code)
        assert not out.exists()

    fails(tmp_path / "report.txt", ".json", code=2)
    fails(there, "exists already", "--overwrite")
    fails(tmp_path / "nowhere" / "report.json", "no such folder")
    assert there.read_text(encoding="utf-8") == "mine"


def test_a_report_is_no_output_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, model = write_clip(tmp_path / "clip.mp4"), use_stand_in(monkeypatch, tmp_path)
    same = tmp_path / "same.json"
    run = run_vfe(capsys, "enhance", clip, "-o", same, "--model", model, "--report", same)
    assert_one_line_error(run, "same.json")


def test_a_page_is_written_where_the_name_ends_so(tmp_path: Path) -> None:
    clip, report = write_clip(tmp_path / "clip.mp4", Clip(frames=3)), tmp_path / "report.HTML"
    options = RestoreOptions(report=report)
    Restorer(BrightenPipeline()).restore_file(clip, tmp_path / "out.mkv", options)
    assert report.read_text(encoding="ascii").startswith("<!DOCTYPE html>")
    with pytest.raises(VFEError, match="exists already"):
        Restorer(BrightenPipeline()).restore_file(clip, tmp_path / "other.mkv", options)


def test_a_run_that_fails_leaves_no_report(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=9))

    def stop(done: int, total: int | None) -> None:
        if done == 4 and total:
            raise Cancelled

    options = RestoreOptions(report=tmp_path / "report.json")
    with pytest.raises(Cancelled):
        Restorer(BrightenPipeline()).restore_file(clip, tmp_path / "out.mkv", options, stop)
    assert sorted(tmp_path.iterdir()) == [clip]


@pytest.mark.slow
def test_a_restored_face_is_sharper_and_still_alike(tmp_path: Path) -> None:
    portrait, report = tmp_path / "portrait.png", tmp_path / "report.json"
    picture = Image.fromarray(skimage.data.astronaut()[0:260, 100:360])
    picture.resize((64, 64), Image.Resampling.BOX).resize((208, 208), Image.Resampling.BICUBIC).save(portrait)
    restorer = load("lite", "cpu", "fp32")
    plain = restorer.restore_file(portrait, tmp_path / "plain.png").output
    restored = restorer.restore_file(portrait, tmp_path / "out.png", RestoreOptions(report=report)).output
    assert restored.read_bytes() == plain.read_bytes()
    told = json.loads(report.read_text(encoding="utf-8"))
    (face,) = told["faces"]
    assert face["sharpness"]["after"] > face["sharpness"]["before"] > 0
    assert 0 < face["distance"] < told["likeness"]["stranger"] / 4
    assert told["windows"] == [[0, 1]]
