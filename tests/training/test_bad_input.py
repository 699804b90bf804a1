"""What a user of the training programs may get wrong ends in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.paths import CONFIGS
from training import preview, train
from training.burst import run

LITE = str(CONFIGS / "lite.yaml")


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (None, [], "cannot be read"),
        ("stage: [", [], "cannot be read"),
        ("", [], "holds no keys"),
        ("- stage", [], "holds no keys"),
        ("stage: lite", ["--set", "steps=["], "no KEY=VALUE"),
        ("stage: lite", ["--set", "stage.x=1"], "has no parts"),
    ],
)
def test_a_run_that_cannot_be_read(text: str | None, options: list[str], said: str, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match=said) as stopped:
        train.main([str(path), *options])
    assert "\n" not in str(stopped.value)


@pytest.mark.parametrize(
    "options", [["missing.yaml"], ["--clip", "missing.mp4"], [LITE, "--clips", "0"]], ids=["config", "clip", "clips"]
)
def test_a_sheet_that_cannot_be_drawn(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["preview", *options, "-o", str(tmp_path / "sheet.png")])
    with pytest.raises(SystemExit):
        preview.main()
    assert "preview: error: " in capsys.readouterr().err


def test_a_device_that_is_none(tmp_path: Path) -> None:
    command = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--minutes", "1", "--device", "foo"]
    with pytest.raises(SystemExit, match="--device foo: "):
        run.main(command)
