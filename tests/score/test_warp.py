"""Errors along motion: moved clips, noise, and what is hidden."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support.scored_clips import moments, score, textured
from vfe.score.metrics.e_warp import EWarp, occluded, warping_error
from vfe.score.metrics.warp import Warp
from vfe.score.picture import Picture, Step

pytest.importorskip("cv2", reason="OpenCV is not installed")
WIDE = textured(96, 160)
PAN = [WIDE[:, :, start : start + 128] for start in (0, 2, 4)]
"""A clip in which everything moves by two pixels a frame."""


def still(seed: int, sigma: float) -> torch.Tensor:
    noise = torch.randn(3, 96, 128, generator=torch.Generator().manual_seed(seed)) * sigma
    return (PAN[0].float() + noise).round().clamp(0, 255).byte()


def test_a_moved_clip_is_steady_along_its_own_motion() -> None:
    seen = moments(PAN, PAN)
    standing = moments([PAN[0]] * 3, PAN)
    for metric in (Warp(), EWarp("truth")):
        assert score(metric, seen).value < 0.2 * score(metric, standing).value
    assert score(EWarp("self"), seen).value == score(EWarp("truth"), seen).value


def test_noise_of_sigma_has_an_error_of_two_sigma_squared() -> None:
    clean = [PAN[0]] * 4
    noisy = [still(seed, 10.0) for seed in range(4)]
    found = score(EWarp("truth"), moments(noisy, clean)).value
    assert found == pytest.approx(1e3 * 2 * (10 / 255) ** 2, rel=0.03)


def test_grey_levels_that_change_count_as_they_are() -> None:
    shown = [PAN[0], (PAN[0].int() + 10).byte()]
    assert score(Warp(), moments(shown, [PAN[0]] * 2)).value == pytest.approx(1e3 * 10 / 255, rel=1e-4)


def test_the_first_frame_is_not_missed() -> None:
    assert score(Warp(), moments(PAN, PAN)).why == ""


def test_what_motion_hides_is_left_out() -> None:
    there, back = np.zeros((40, 60, 2), np.float32), np.zeros((40, 60, 2), np.float32)
    there[:, :20, 0] = 5.0  # moves to the right, and nothing comes back there
    hidden = occluded(there, back)
    assert hidden[:, :19].all()
    assert hidden[:, 19].all(), "the border of motion"
    assert not hidden[:, 21:].any()


def test_hidden_pixels_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    there = np.zeros((40, 60, 2), np.float32)
    there[:, :20, 0] = 5.0
    steady, spoilt = textured(40, 60), textured(40, 60)
    spoilt[:, :, :18] = 255
    flows = Step(Picture(steady), Picture(steady))
    monkeypatch.setattr(Step, "forward", there)
    monkeypatch.setattr(Step, "backward", np.zeros_like(there))
    assert warping_error(Step(Picture(spoilt), Picture(steady)), flows) == pytest.approx(0, abs=1e-9)


def test_without_opencv_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from vfe.score import choose

    monkeypatch.setattr(choose, "has_flow", lambda: False)
    metrics = choose._by_flow(True, True)
    assert {metric.figure.name for metric in metrics} == {"warp", "e_warp_dis", "e_warp_self"}
    assert all("OpenCV is not installed" in metric.scored().why for metric in metrics)


@pytest.mark.parametrize("size", [(8, 6), (31, 64), (64, 31)])
def test_frames_that_are_too_small_for_flow_have_a_reason(size: tuple[int, int]) -> None:
    frames = [textured(*size)] * 2
    for metric in (Warp(), EWarp("truth"), EWarp("self")):
        assert "too small for optical flow" in score(metric, moments(frames, frames)).why


@pytest.mark.parametrize("size", [(32, 32), (32, 900), (900, 32)])
def test_the_smallest_frames_have_flow(size: tuple[int, int]) -> None:
    frames = [textured(*size)] * 2
    assert score(Warp(), moments(frames, frames)).value == 0
