"""The contact sheet: all families of a config beside the clean clip, from a run's data or from one file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.support.clips import Clip, write_clip
from tests.support.paths import CONFIGS
from tests.support.training_set import write_run, write_training_set
from training.preview import LABEL_HEIGHT, SheetConfig, main, read_config, write_sheet
from vfe.types import VFEError

SHEET = SheetConfig(clips=2, draws=1, frames=6, side=40)
MIX = {"shares": {"keep": 0.5, "second_order": 0.0, "film": 0.25, "webcam": 0.25}}


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_sheet_shows_each_item_in_each_family(tmp_path: Path) -> None:
    run = write_run(tmp_path, write_training_set(tmp_path / "data"), mix=MIX)
    write_sheet(run, None, SHEET, tmp_path / "sheet.png")
    sheet = pixels(tmp_path / "sheet.png")
    assert sheet.shape == (2 * (LABEL_HEIGHT + 2 * 40), 4 * 40, 3)  # clean, keep, film, webcam
    cells = [sheet[LABEL_HEIGHT : LABEL_HEIGHT + 40, column * 40 : (column + 1) * 40] for column in range(4)]
    assert all(np.abs(cells[0].astype(int) - cell).mean() > 1 for cell in cells[1:])
    assert (sheet[:LABEL_HEIGHT, 40:80] < 128).any()  # a label
    write_sheet(run, None, SHEET, tmp_path / "again.png")
    assert (pixels(tmp_path / "again.png") == sheet).all()


def test_a_run_of_the_keep_formula_has_one_column_of_it(tmp_path: Path) -> None:
    run = write_run(tmp_path, write_training_set(tmp_path / "data"))
    write_sheet(run, None, SHEET, tmp_path / "sheet.png")
    assert pixels(tmp_path / "sheet.png").shape[1] == 2 * 40


def test_a_run_with_a_preset_has_one_column_of_it(tmp_path: Path) -> None:
    run = write_run(tmp_path, write_training_set(tmp_path / "data"), preset="severe")
    assert list(read_config(run)[1]) == ["severe"]
    write_sheet(run, None, SHEET, tmp_path / "sheet.png")
    assert pixels(tmp_path / "sheet.png").shape[1] == 2 * 40


def test_one_clip_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=6, width=64, height=48))
    arguments = ["--clip", str(clip), "-o", str(tmp_path / "new/sheet.png"), "--draws", "1", "--side", "32"]
    monkeypatch.setattr("sys.argv", ["preview", *arguments])
    main()
    assert pixels(tmp_path / "new/sheet.png").shape == (LABEL_HEIGHT + 2 * 32, 5 * 32, 3)  # clean, four families


def test_nothing_to_show_is_said(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump({"mix": MIX}))
    with pytest.raises(VFEError, match="--clip"):
        write_sheet(path, None, SHEET, tmp_path / "sheet.png")
    with pytest.raises(ValueError, match="needed"):
        SheetConfig(frames=1)


def test_every_run_that_ships_has_a_degradation_to_show() -> None:
    for path in CONFIGS.glob("*.yaml"):
        if "data" in yaml.safe_load(path.read_text()):
            data, _ = read_config(path)
            assert data is not None
