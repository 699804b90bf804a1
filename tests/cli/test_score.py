"""`vfe score`: one clip and folders, files beside the table, and clips that do not fit."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from tests.support.cli_run import assert_one_line_error, run_vfe
from tests.support.clips import Clip, write_clip
from vfe.report.html.document import ONLY_ITSELF

SMALL = Clip(frames=3, width=64, height=48)
NAMES = (
    "psnr", "psnr_frames", "face_psnr", "ssim", "detail", "colour", "flicker", "warp", "e_warp_dis", "e_warp_self",
    "akd5", "tlme5", "niqe_own", "niqe",
)  # fmt: skip


def table_of(text: str) -> dict[str, list[str]]:
    """The first table: {metric: its other cells}."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return {row[0].partition(",")[0]: row[1:] for row in rows[2 : 2 + len(NAMES)]}


def test_a_clip_and_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "clip.mp4", SMALL)
    run = run_vfe(capsys, "score", clip, "--reference", clip)
    assert run.code == 0
    table = table_of(run.out)
    assert tuple(table) == NAMES
    assert float(table["psnr"][0]) > 100
    assert table["ssim"][0] == "1"
    assert table["face_psnr"][0] == "NaN"
    assert "- face_psnr: no face was found in the reference" in run.out
    assert "- niqe: no published parameters found" in run.out


def test_without_a_reference_every_metric_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "clip.mp4", SMALL)
    run = run_vfe(capsys, "score", clip)
    assert tuple(table_of(run.out)) == NAMES
    assert "- psnr: it compares with a reference: give --reference" in run.out
    assert "- e_warp_dis: it goes by the flow of another clip" in run.out


def folders(root: Path) -> tuple[Path, Path, Path]:
    """Results, references and inputs of two clips; results have the ending that `vfe enhance` gives."""
    made = tuple(root / name for name in ("restored", "clean", "lq"))
    for folder in made:
        folder.mkdir()
    for name in ("a", "b"):
        write_clip(made[0] / f"{name}.restored.mp4", SMALL)
        write_clip(made[1] / f"{name}.mkv", SMALL)
        write_clip(made[2] / f"{name}.mp4", Clip(frames=3, width=32, height=24))
    return made[0], made[1], made[2]


def test_folders_give_rows_means_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    restored, clean, lq = folders(tmp_path)
    outputs = [tmp_path / f"scores.{form}" for form in ("json", "csv", "html")]
    files = [part for path in outputs for part in (f"--{path.suffix[1:]}", path)]
    run = run_vfe(capsys, "score", restored, "--reference", clean, "--input", lq, *files)
    assert run.code == 0
    table = table_of(run.out)
    assert float(table["psnr"][0]) < float(table["psnr"][1]), "the input is worse"
    assert "| a |" in run.out
    found = json.loads(outputs[0].read_text(encoding="utf-8"))
    assert found["format"] == "vfe-score-1"
    assert [clip["name"] for clip in found["clips"]] == ["a", "b"]
    values = [clip["result"]["ssim"]["value"] for clip in found["clips"]]
    assert found["mean"]["result"]["ssim"]["value"] == pytest.approx(sum(values) / 2)
    assert found["clips"][0]["result"]["niqe"] == {"value": None, "why": found["mean"]["result"]["niqe"]["why"]}
    rows = list(csv.DictReader(outputs[1].read_text(encoding="utf-8").splitlines()))
    assert [(row["clip"], row["version"]) for row in rows] == [
        (clip, version) for clip in ("a", "b", "mean") for version in ("result", "input")
    ]
    assert math.isnan(float(rows[0]["niqe"]))
    page = outputs[2].read_text(encoding="ascii")
    assert ONLY_ITSELF in page.replace("&quot;", '"')
    assert page.count("<rect") >= 8
    assert "http" not in page.replace("http-equiv", "")


def test_pages_escape_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "<script>|alert.mp4", SMALL)
    page = tmp_path / "scores.html"
    assert run_vfe(capsys, "score", clip, "--html", page).code == 0
    assert "<script>" not in page.read_text(encoding="ascii")


def test_a_clip_that_fails_stops_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    restored, clean, _ = folders(tmp_path)
    write_clip(restored / "b.restored.mp4", Clip(frames=2, width=64, height=48))
    table = tmp_path / "scores.csv"
    run = run_vfe(capsys, "score", restored, "--reference", clean, "--csv", table)
    assert run.code == 1
    assert run.err.endswith("vfe: error: 1 of 2 clips could not be scored; the notes above say why\n")
    assert "has 2 frames, and" in run.out
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [math.isnan(float(row["psnr"])) for row in rows] == [False, True, False]


def test_frame_counts_that_differ_are_told_and_can_be_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short, long = write_clip(tmp_path / "short.mp4", SMALL), write_clip(tmp_path / "long.mp4", Clip(frames=5))
    run = run_vfe(capsys, "score", short, "--reference", long)
    assert_one_line_error(run, "short.mp4: has 3 frames, and", "--frames 3")
    assert run_vfe(capsys, "score", long, "--reference", short, "--frames", "3").code == 0


def test_sizes_that_differ_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = write_clip(tmp_path / "a.mp4", SMALL), write_clip(tmp_path / "b.mp4", Clip(frames=3, width=32, height=24))
    assert_one_line_error(run_vfe(capsys, "score", a, "--reference", b), "is 64x48, but the reference is 32x24")


def test_rates_that_differ_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write_clip(tmp_path / "a.mp4", SMALL)
    b = write_clip(tmp_path / "b.mp4", Clip(frames=3, width=64, height=48, rate=30))
    run = run_vfe(capsys, "score", a, "--reference", b)
    assert run.code == 0
    assert "the result has 25 frames a second, the reference 30; frames are compared by number" in run.out


def test_outputs_are_checked_before_the_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "clip.mp4", SMALL)
    there = tmp_path / "there.json"
    there.write_text("mine", encoding="utf-8")
    assert_one_line_error(run_vfe(capsys, "score", clip, "--json", there), "there.json: exists")
    assert there.read_text(encoding="utf-8") == "mine"
    assert_one_line_error(run_vfe(capsys, "score", clip, "--json", tmp_path / "no" / "a.json"), "no such folder")
    assert_one_line_error(run_vfe(capsys, "score", clip, "--json", tmp_path), "is a folder")
    assert run_vfe(capsys, "score", clip, "--json", there, "--overwrite").code == 0
    assert json.loads(there.read_text(encoding="utf-8"))["clips"][0]["name"] == "clip"


@pytest.mark.parametrize("content", [b"", b"no video"])
def test_files_that_are_no_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    clip, bad = write_clip(tmp_path / "clip.mp4", SMALL), tmp_path / "bad.mp4"
    bad.write_bytes(content)
    assert_one_line_error(run_vfe(capsys, "score", bad), "bad.mp4")
    assert_one_line_error(run_vfe(capsys, "score", clip, "--reference", bad), "bad.mp4")


def test_folders_that_do_not_match(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    restored, clean, _ = folders(tmp_path)
    (clean / "b.mkv").unlink()
    assert_one_line_error(run_vfe(capsys, "score", restored, "--reference", clean), "has no clip for b")
    write_clip(restored / "a.restored.mkv", SMALL)
    assert_one_line_error(run_vfe(capsys, "score", restored), "have one name")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert_one_line_error(run_vfe(capsys, "score", empty), "empty")
