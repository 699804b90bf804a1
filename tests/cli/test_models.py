"""The command line with real model files: a tiny one with random weights, and the bundled one where it is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import vfe
from tests.support.cli_run import assert_one_line_error, run_python, run_vfe
from tests.support.clips import Clip, read_pixels, write_clip
from vfe.library.find import find_models
from vfe.models.dit.model import DiTConfig
from vfe.models.lapped_codec import CodecConfig
from vfe.models.lite import LiteConfig, LiteModel
from vfe.weights.lite import save_lite_model

pytestmark = pytest.mark.slow

TRAINING = {"command": "python -m training.train tiny.yaml", "seed": 7, "dev": {"psnr": 31.25}}
SIZES = ((253, 147), (16, 16), (64, 48))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of a few thousand weights whose step changes the picture a little."""
    torch.manual_seed(0)
    dit = DiTConfig(
        in_channels=CodecConfig().channels,
        dim=24,
        heads=2,
        layers=2,
        ffn_dim=32,
        freq_dim=16,
        text_dim=16,
        patch=(1, 1, 1),
        window=(1, 4, 4),
        local_kernel=3,
    )
    model = LiteModel(LiteConfig(dit=dit))
    for parameter in model.dit.head.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save_lite_model(path, model, TRAINING)
    return path


def restore(capsys: pytest.CaptureFixture[str], clip: Path, model: Path, *options: object) -> np.ndarray:
    output = clip.parent / "restored.mkv"
    run = run_vfe(capsys, "enhance", clip, "-o", output, "--model", model, "--codec", "ffv1", "--overwrite", *options)
    assert (run.code, run.err) == (0, ""), run
    return read_pixels(output).astype(int)


@pytest.mark.parametrize("size", SIZES)
def test_strength_goes_from_the_input_to_the_restored(
    size: tuple[int, int], tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(5, *size, codec="ffv1", pix_fmt="bgr0"))
    before = read_pixels(clip).astype(int)
    none, half, full = (restore(capsys, clip, tiny, "--strength", s) - before for s in (0, 0.5, 1))
    assert np.abs(none).max() <= 1  # the codec is exactly invertible
    assert np.abs(full).mean() > 2 * np.abs(none).mean() + 0.3
    assert np.abs(half - full / 2).mean() < 0.6


def test_windows(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(20, codec="ffv1", pix_fmt="bgr0"))
    whole = restore(capsys, clip, tiny)
    assert whole.shape == (20, 48, 64, 3)
    assert np.array_equal(restore(capsys, clip, tiny, "--window", 21), whole)  # both are one window of the clip
    for window in (("--window", 5), ("--window", 9, "--overlap", 4), ("--window", 1)):
        windowed = restore(capsys, clip, tiny, *window)
        assert windowed.shape == whole.shape
        assert not np.array_equal(windowed, whole)


def test_a_window_is_rounded_with_a_note(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(20, codec="ffv1", pix_fmt="bgr0"))
    exact = restore(capsys, clip, tiny, "--window", 9)
    output = tmp_path / "rounded.mkv"
    run = run_vfe(capsys, "enhance", clip, "-o", output, "--model", tiny, "--codec", "ffv1", "--window", 8)
    assert "note: windows of 9 frames in place of 8" in run.out
    assert np.array_equal(read_pixels(output), exact)


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
def test_dtypes(dtype: str, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    exact, rounded = (restore(capsys, clip, tiny, "--device", "cpu", "--dtype", name) for name in ("fp32", dtype))
    assert np.abs(rounded - exact).mean() < 1


def test_same_bytes_in_two_processes(tiny: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(width=128, height=96, audio=True))
    for name in ("a.mp4", "b.mp4"):
        run = run_python("-m", "vfe", "enhance", clip, "-o", tmp_path / name, "--model", tiny)
        assert run.code == 0, run.err
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_info_tells_what_a_model_is(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_vfe(capsys, "info", tiny)
    assert run.code == 0, run.err
    for part in ("tiny.safetensors", "dim: 24", "training.train tiny.yaml", "psnr: 31.25", "parameters: "):
        assert part in run.out


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_cut_model_file(share: float, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tiny.read_bytes()
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(data[: int(share * len(data))])
    clip = write_clip(tmp_path / "clip.mp4")
    assert_one_line_error(run_vfe(capsys, "enhance", clip, "-o", tmp_path / "o.mp4", "--model", cut), "cut.safetensors")


@pytest.mark.skipif("lite" not in find_models(), reason="the bundled model is not there yet")
def test_bundled_model_restores_a_clip(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=5, width=128, height=96))
    report = vfe.load("lite", device="cpu").restore_file(clip, tmp_path / "out.mp4")
    assert report.frames == 5
    change = np.abs(read_pixels(tmp_path / "out.mp4").astype(int) - read_pixels(clip)).mean()
    assert change < 12  # it restores the picture, it makes no other one
