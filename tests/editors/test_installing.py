"""How installers of editors run: one line where something is wrong, and the file and where it is found where not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from editors import installing
from editors.installing import Installer


def write(folder: Path, program: str) -> Path:
    path = folder / "entry"
    path.write_text(program, encoding="utf-8")
    return path


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *, program: str | None = "/opt/vfe") -> int:
    monkeypatch.setattr(installing, "find_program", lambda: program)
    monkeypatch.setattr(sys, "argv", ["install", "--folder", str(folder)])
    return Installer("Put it there.", Path("nowhere"), write, "In the menu").run()


def test_it_says_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, monkeypatch) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'entry'}\nIn the menu\n"
    assert (tmp_path / "entry").read_text(encoding="utf-8") == "/opt/vfe"


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "missing", monkeypatch) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "nothing was changed" in said


def test_without_vfe_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, monkeypatch, program=None) == 1
    assert "vfe is not there" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
