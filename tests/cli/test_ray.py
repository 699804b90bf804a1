"""`vfe enhance --ray` where there is no cluster, and where it cannot do what is asked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.cli_run import assert_one_line_error, run_vfe
from tests.support.clips import Clip, write_clip


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mkv", Clip(frames=3))


def test_without_ray_it_is_one_line(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    run = run_vfe(capsys, "enhance", clip, "--ray", "local")
    assert_one_line_error(run, 'pip install "vfe[cluster]"')
    assert {path.name for path in clip.parent.iterdir()} == {"clip.mkv"}


@pytest.mark.parametrize("option", [("--compare", "both.mkv"), ("--report", "report.json")])
def test_what_needs_a_single_pass_is_refused(
    option: tuple[str, str], clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_vfe(capsys, "enhance", clip, "--ray", "local", *option)
    assert run.code == 2
    assert "--ray restores in parts, and " in run.err
