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
    assert_one_line_error(run, "pip install 'video-face-enhancement[cluster]'")
    assert {path.name for path in clip.parent.iterdir()} == {"clip.mkv"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--face-model", "none", "--faces", "largest"), "--faces, --min-face and --blend choose among them"),
        (("--face-model", "none", "--fidelity", "0.5"), "--fidelity 0.5 is of a part for faces"),
    ],
)
def test_what_the_model_has_no_use_for_is_refused(
    options: tuple[str, ...], reason: str, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_ray = run_vfe(capsys, "enhance", clip, "--ray", "127.0.0.1:1", *options)
    assert with_ray.code == 2
    assert reason in with_ray.err
    assert with_ray == run_vfe(capsys, "enhance", clip, *options)


@pytest.mark.parametrize("option", [("--compare", "both.mkv"), ("--report", "report.json")])
def test_what_needs_a_single_pass_is_refused(
    option: tuple[str, str], clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_vfe(capsys, "enhance", clip, "--ray", "local", *option)
    assert run.code == 2
    assert "--ray restores in parts, and " in run.err
