"""`vfe info`: this installation, or a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli_run import assert_one_line_error, run_vfe
from tests.support.clips import Clip, write_clip
from vfe import __version__


def test_machine(capsys: pytest.CaptureFixture[str]) -> None:
    run = run_vfe(capsys, "info")
    assert run.code == 0
    assert run.out.startswith(f"vfe {__version__}\n")
    for part in ("python 3.", "torch ", "libavcodec", "device cpu: ", "auto dtype", "model"):
        assert part in run.out


def test_a_bad_model_file_does_not_hide_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    monkeypatch.setenv("VFE_MODELS", str(tmp_path))
    run = run_vfe(capsys, "info")
    assert run.code == 0
    assert "model broken: " in run.out
    assert "cannot be loaded: " in run.out


def test_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(audio=True))
    run = run_vfe(capsys, "info", clip)
    assert run.code == 0
    for part in ("64x48", "6 frames", "h264", "yuv420p", "audio: aac"):
        assert part in run.out


def test_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_line_error(run_vfe(capsys, "info", tmp_path / "missing.mp4"), "missing.mp4")
    assert_one_line_error(run_vfe(capsys, "info", tmp_path / "missing.safetensors"), "missing.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    assert_one_line_error(run_vfe(capsys, "info", tmp_path / "bad.safetensors"), "bad.safetensors")
    assert run_vfe(capsys, "info", "a", "b").code == 2
