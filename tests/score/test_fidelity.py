"""PSNR, SSIM, detail and flicker by closed forms, and beside scikit-image and torchmetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.support.scored_clips import face_at, moments, photo, score, textured
from vfe.score.metrics.colour import Colour
from vfe.score.metrics.detail import Detail
from vfe.score.metrics.face_psnr import FacePsnr
from vfe.score.metrics.flicker import Flicker
from vfe.score.metrics.psnr import Psnr, PsnrOfFrames
from vfe.score.metrics.ssim import Ssim, ssim_map

CLEAN = [textured(48, 64, seed) for seed in range(3)]


def shifted(frame: torch.Tensor, levels: int) -> torch.Tensor:
    return (frame.int() + levels).byte()


def test_psnr_of_a_clip_and_of_its_frames() -> None:
    shown = [shifted(frame, levels) for frame, levels in zip(CLEAN, (1, 2, 4), strict=True)]
    seen = moments(shown, CLEAN)
    assert score(Psnr(), seen).value == pytest.approx(10 * math.log10(255**2 / ((1 + 4 + 16) / 3)))
    of_frames = np.mean([20 * math.log10(255 / levels) for levels in (1, 2, 4)])
    assert score(PsnrOfFrames(), seen).value == pytest.approx(of_frames)
    assert [frame for frame, _ in score(Psnr(), seen).curve] == [0, 1, 2]


def test_equal_clips_have_the_best_figures() -> None:
    seen = moments(CLEAN, CLEAN)
    assert score(Psnr(), seen).value == pytest.approx(108.13, abs=0.01)
    assert score(Ssim(), seen).value == pytest.approx(1)
    assert score(Detail(), seen).value == pytest.approx(1)
    assert score(Flicker(), seen).value == 0


def test_face_psnr_counts_the_pixels_of_the_face() -> None:
    region = torch.zeros(48, 64, dtype=torch.bool)
    region[10:20, 20:30] = True
    shown = [torch.where(region, shifted(frame, 5), shifted(frame, 50)) for frame in CLEAN]
    face = face_at(torch.zeros(5, 2), region)
    found = score(FacePsnr(), moments(shown, CLEAN, [(face, face), (face, None), (face, face)]))
    assert found.value == pytest.approx(20 * math.log10(255 / 5))
    assert found.why.startswith("1 of 3 frames left out: no face")


def test_without_a_face_there_is_a_reason() -> None:
    found = score(FacePsnr(), moments(CLEAN, CLEAN))
    assert math.isnan(found.value)
    assert found.why == "no face was found in the reference"


def test_ssim_is_that_of_scikit_image_inside_of_the_border() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    a, b = (photo(index, 80, 64).float().mean(0) for index in (0, 3))
    _, whole = metrics.structural_similarity(
        a.numpy(), b.numpy(), data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    assert np.allclose(ssim_map(a, b).numpy()[6:-6, 6:-6], whole[6:-6, 6:-6], atol=1e-4)


def test_psnr_and_ssim_are_those_of_torchmetrics() -> None:
    functional = pytest.importorskip("torchmetrics.functional.image", reason="torchmetrics is not installed")
    a, b = (photo(index, 80, 64)[None].float() for index in (0, 3))
    psnr = functional.peak_signal_noise_ratio(a, b, data_range=255.0)
    assert score(Psnr(), moments([a[0].byte()], [b[0].byte()])).value == pytest.approx(float(psnr), abs=1e-3)
    grey_a, grey_b = a.mean(1, keepdim=True), b.mean(1, keepdim=True)
    ssim = functional.structural_similarity_index_measure(grey_a, grey_b, data_range=255.0)
    assert float(ssim_map(grey_a[0, 0], grey_b[0, 0]).mean()) == pytest.approx(float(ssim), abs=1e-5)


def test_half_the_contrast_has_a_quarter_of_the_detail() -> None:
    even = [frame // 2 * 2 for frame in CLEAN]
    seen = moments([frame // 2 for frame in even], even)
    assert score(Detail(), seen).value == pytest.approx(0.25, rel=1e-4)


def test_a_reference_without_detail_has_a_reason() -> None:
    flat = [torch.full((3, 48, 64), 90, dtype=torch.uint8)]
    found = score(Detail(), moments(flat, flat))
    assert math.isnan(found.value)
    assert "no detail" in found.why


def test_colour_is_the_shift_of_the_worst_channel() -> None:
    shown = [frame.int() for frame in CLEAN]
    for frame in shown:
        frame[0] += 2
        frame[1] -= 7
    assert score(Colour(), moments([frame.byte() for frame in shown], CLEAN)).value == pytest.approx(-7)


def test_flicker_is_the_change_of_the_error() -> None:
    constant = moments([shifted(frame, 9) for frame in CLEAN], CLEAN)
    assert score(Flicker(), constant).value == pytest.approx(0)
    shown = [shifted(frame, levels) for frame, levels in zip(CLEAN, (0, 6, 0), strict=True)]
    assert score(Flicker(), moments(shown, CLEAN)).value == pytest.approx(1e3 * 6 / 255, rel=1e-5)


def test_one_frame_cannot_flicker() -> None:
    found = score(Flicker(), moments(CLEAN[:1], CLEAN[:1]))
    assert math.isnan(found.value)
    assert found.why == "it needs two frames"
