"""`vfe curate`: raw videos and portraits become a set that training reads."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vfe.cli.curate
from tests.support.counting_scorer import CountingScorer
from tests.support.curated import FRAMES, SMALL, STILL, curate, write_raw
from tests.support.training_set import write_run
from training import train
from training.data.clips import DataConfig, FaceClips, list_items, read_frames, read_masks
from vfe.cli import main
from vfe.curation.record import Record


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_raw(tmp_path_factory.mktemp("raw") / "films")


@pytest.fixture(scope="module")
def made(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of everything in `raw`; the broken file makes the exit code 1."""
    folder = tmp_path_factory.mktemp("made") / "data" / "train"
    with pytest.MonkeyPatch.context() as patch:
        scorer = CountingScorer(folder.parent.parent / "notes")
        code = curate(patch, scorer, raw, "-o", folder, "--keep-above", "20", "--open", "--licence", "CC0", *SMALL)
    assert code == 1
    return folder


def items_of(folder: Path) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text())["items"]
    return items


def write_manifest(folder: Path) -> None:
    """A manifest that somebody else made."""
    folder.mkdir()
    (folder / "manifest.json").write_text('{"items": []}')


def test_the_manifest_has_the_clip_and_the_portrait(made: Path) -> None:
    items = items_of(made)
    assert [(item["source"], item["kind"], item["frames"]) for item in items] == [
        ("films/portraits/one.png", "hq_image", 1),
        ("films/still.mkv", "hq_video", FRAMES),
    ]
    assert all(item["open"] is True and item["licence"] == "CC0" and item["sharp"] > 0 for item in items)
    assert {item["mask"] for item in items} == {"oval (bundled net)"}
    assert all((made / item["file"]).is_file() for item in items)


def test_what_cannot_be_cut_out_is_recorded_with_its_reason(made: Path) -> None:
    record = Record(made)
    (passing,) = (line for line in record.sources.values() if line.source == "films/passing.mkv")
    assert passing.clips == ()
    assert [stretch.reason.partition(":")[0] for stretch in passing.left_out] == ["moves too far"]


def test_the_labels_are_where_the_face_is(made: Path) -> None:
    item = items_of(made)[1]
    left, top, side = item["window"]
    scale = 64 / side
    with np.load(made / item["label"]) as label:
        masks = np.unpackbits(label["masks"], axis=-1)
        boxes, landmarks, valid = label["boxes"], label["landmarks5"], label["valid"]
        assert tuple(label["mask_shape"]) == masks.shape == (FRAMES, 96, 96)
    drawn = STILL.box(0)
    assert drawn is not None
    expected = (drawn.numpy() - [left, top, left, top]) * scale
    assert np.abs(boxes - expected).max() < 0.15 * 64
    assert valid.all()
    assert landmarks.shape == (FRAMES, 5, 2)
    assert (landmarks[:, 0, 0] < landmarks[:, 1, 0]).all(), "image-left eye first"
    at = (np.arange(96) + 0.5) * 64 / 96
    x, y = np.meshgrid(at, at)
    middle, radii = (expected[:2] + expected[2:]) / 2, (expected[2:] - expected[:2]) / 2 * 1.17
    oval = ((x - middle[0]) / radii[0]) ** 2 + ((y - middle[1]) / radii[1]) ** 2 < 1
    common = (masks[0] * oval).sum() / np.maximum(masks[0], oval).sum()
    assert common > 0.8


def test_the_pictures_are_those_of_the_window(made: Path, raw: Path) -> None:
    item = items_of(made)[1]
    left, top, side = item["window"]
    source = read_frames(raw / "still.mkv")[0].permute(2, 0, 1)[None].float()
    part = source[..., top : top + side, left : left + side]
    expected = torch.nn.functional.interpolate(part, (64, 64), mode="bicubic", antialias=True)[0].permute(1, 2, 0)
    clip = read_frames(made / item["file"])
    assert clip.shape == (FRAMES, 64, 64, 3)
    assert float((clip[0].float() - expected).abs().mean()) < 2


def test_training_reads_the_set(made: Path) -> None:
    config = DataConfig(root=str(made), frames=5, side=32, batch=2, segment=9, reuse=1)
    items = list_items(config)
    assert [item.is_image for item in items] == [True, False]
    assert all(bool(read_masks(item.label, 1, 64, 64).any()) for item in items)
    degraded, clean, mask = next(iter(FaceClips(config, None, seed=1)))
    assert degraded.shape == clean.shape == (2, 5, 32, 32, 3)
    assert bool(mask.any())


@pytest.mark.slow
def test_a_run_trains_on_the_set(made: Path, tmp_path: Path) -> None:
    train.main([str(write_run(tmp_path, made)), "--set", "steps=2", "--set", "eval.every_steps=2"])
    assert (tmp_path / "run" / "last.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_processes_that_die_cost_their_clip(
    made: Path, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [raw / "still.mkv", raw / "portraits", "-o", tmp_path / "set", "--jobs", "2", *SMALL]
    line += ["--keep-above", "20", "--open", "--licence", "CC0"]
    for scorer in (CountingScorer(tmp_path / "notes", dies_at=1), CountingScorer(tmp_path / "notes")):
        monkeypatch.setattr(vfe.cli.curate, "scorer_choice", lambda _, scorer=scorer: scorer)
        code = main(["curate", *map(str, line)])
        said = capsys.readouterr().out
        assert code == (1 if scorer.dies_at else 0)
        assert ("portraits/one.png 0-0: failed: its process was ended by SIGKILL" in said) == bool(scorer.dies_at)
        kinds = [item["kind"] for item in items_of(tmp_path / "set")]
        assert kinds == (["hq_video"] if scorer.dies_at else ["hq_image", "hq_video"])
    assert len((tmp_path / "notes").read_text().splitlines()) == 2
    assert {item["sha256"] for item in items_of(tmp_path / "set")} == {item["sha256"] for item in items_of(made)}


def test_the_sheet_shows_it(made: Path) -> None:
    shown = read_frames(made / "curation.png")[0]
    assert shown.shape[0] > 144
    assert int(shown.float().std()) > 20


def test_again_nothing_is_scored_and_nothing_changes(
    made: Path, raw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = made.parent.parent / "notes"
    before = notes.read_text(), (made / "manifest.json").read_bytes(), (made / "curation.jsonl").read_bytes()
    again = ("-o", made, "--keep-above", "20", "--open", "--licence", "CC0", *SMALL)
    assert curate(monkeypatch, CountingScorer(notes), raw, *again) == 1
    assert before == (notes.read_text(), (made / "manifest.json").read_bytes(), (made / "curation.jsonl").read_bytes())
    said = capsys.readouterr()
    assert "films/still.mkv: 9 frames, 1 clip (1 done before)" in said.out
    (failed,) = (line for line in said.out.splitlines() if "broken.mp4" in line)
    assert failed.startswith("films/broken.mp4: failed: ")
    assert said.err == "vfe: error: 1 sources or clips failed; the same command goes on with them\n"


def test_finish_applies_a_threshold_without_a_score(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = made.parent.parent / "notes"
    scored = notes.read_text()
    (best,) = (item["score"] for item in items_of(made) if item["kind"] == "hq_video")
    scorer = CountingScorer(notes)
    assert curate(monkeypatch, scorer, "-o", made, "--finish", "--keep-above", str(best)) == 0
    assert best not in [item["score"] for item in items_of(made)], "the paper keeps what is strictly above"
    assert not list((made / "hq_video").glob("*.mp4"))
    assert curate(monkeypatch, scorer, "-o", made, "--finish", "--keep-above", str(best - 0.001)) == 0
    assert best in [item["score"] for item in items_of(made)]
    assert curate(monkeypatch, scorer, "-o", made, "--finish", "--keep-above", "20") == 0
    assert len(items_of(made)) == 2
    assert notes.read_text() == scored


def test_calibration_tells_where_people_differ(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [Path(item["file"]).name for item in sorted(items_of(made), key=lambda item: item["score"])]
    labels, before = tmp_path / "labels.csv", (made / "manifest.json").read_bytes()
    labels.write_text(f"clip,choice\n{names[0]},drop\n{names[1]},keep\n")
    assert main(["curate", "-o", str(made), "--calibrate", str(labels)]) == 0
    said = capsys.readouterr().out
    assert "2 clips with a label and a score; they agree on 100%" in said
    assert "calibration.png: the 0 clips on which they differ" in said
    assert read_frames(made / "calibration.png")[0].shape[0] >= 144
    assert (made / "manifest.json").read_bytes() == before
    labels.write_text(f"{names[0]},keep\n{names[1]},keep\n")
    assert main(["curate", "-o", str(made), "--calibrate", str(labels)]) == 1
    assert "needed are kept and dropped ones" in capsys.readouterr().err
    with pytest.raises(SystemExit) as usage:
        main(["curate", "-o", str(made), "--calibrate", str(labels), "--finish"])
    assert usage.value.code == 2


def test_a_clip_whose_file_is_gone_is_cut_out_again(made: Path, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = made.parent.parent / "notes"
    before, (file,) = notes.read_text(), (made / "hq_video").glob("*.mp4")
    content = file.read_bytes()
    file.unlink()
    again = ("-o", made, "--keep-above", "20", "--open", "--licence", "CC0", *SMALL)
    assert curate(monkeypatch, CountingScorer(notes), raw / "still.mkv", *again) == 0
    assert file.read_bytes() == content
    assert notes.read_text() == before


def test_a_dry_run_tells_what_there_is(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scorer = CountingScorer(tmp_path / "notes")
    assert curate(monkeypatch, scorer, raw, "-o", tmp_path / "set", "--dry-run") == 1
    lines = capsys.readouterr().out.splitlines()
    assert "films/portraits/one.png: hq_image, 256x144" in lines
    assert "films/still.mkv: hq_video, 256x144, 9 frames" in lines
    assert lines[-1] == "3 videos, 1 portraits; nothing was done"
    assert not (tmp_path / "set").exists()


def test_without_a_verdict_a_clip_is_neither_kept_nor_done(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = (raw / "portraits", "-o", tmp_path / "set", "--keep-above", "20", *SMALL)
    assert curate(monkeypatch, CountingScorer(tmp_path / "notes", unscored=True), *line) == 1
    assert "portraits/one.png 0-0: failed: not scored: nobody answers" in capsys.readouterr().out
    assert items_of(tmp_path / "set") == []
    assert curate(monkeypatch, CountingScorer(tmp_path / "notes"), *line) == 0
    assert len(items_of(tmp_path / "set")) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ((), "give videos"),
        (("x.mp4", "--finish"), "--finish looks at no videos"),
        (("x.mp4", "--side", "100"), "side=100"),
        (("x.mp4", "--keep-above", "101"), "--keep-above 101"),
        (("x.mp4", "--least-frames", "34"), "least_frames=34"),
        (("x.mp4", "--parsing", "f.pth"), "--parsing is for --mask head"),
    ],
)
def test_wrong_usage_is_one_line(
    line: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(SystemExit) as end:
        curate(monkeypatch, CountingScorer(tmp_path / "notes"), *line, "-o", tmp_path / "set")
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder: folder.write_text("a file"), "is a file"),
        (write_manifest, "is not of a curation"),
        (lambda _: None, "no such file or folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(
    prepare: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,  # noqa: ANN401
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = tmp_path / "set"
    prepare(folder)
    assert curate(monkeypatch, CountingScorer(tmp_path / "notes"), tmp_path / "nothing", "-o", folder) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
