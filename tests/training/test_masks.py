"""Mask alignment against a brute-force loop, and the switch between face and frame."""

from __future__ import annotations

import pytest
import torch

from training.data.masks import align_mask
from training.losses.terms import LossConfig, luma, penalise, structure_loss, switch_mask, switched_loss, temporal_loss


@pytest.mark.parametrize("size", [(1, 8, 8), (5, 16, 24), (13, 40, 32)])
def test_alignment_equals_a_loop(size: tuple[int, int, int]) -> None:
    mask = (torch.rand(2, *size) < 0.2).float()
    aligned = align_mask(mask)
    frames, height, width = size
    for b in range(2):
        for t in range((frames - 1) // 4 + 1):
            group = [0] if t == 0 else range(4 * t - 3, 4 * t + 1)
            for y in range(height // 8):
                for x in range(width // 8):
                    assert aligned[b, 0, t, y, x] == max(mask[b, f, 8 * y, 8 * x] for f in group)
    assert aligned.shape == (2, 1, (frames - 1) // 4 + 1, height // 8, width // 8)


@pytest.mark.parametrize("size", [(4, 8, 8), (5, 9, 8)])
def test_a_mask_that_does_not_fit_is_refused(size: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="needed 4n"):
        align_mask(torch.zeros(1, *size))


def test_switch_scores_face_or_frame_per_clip() -> None:
    prediction, target = torch.randn(2, 3, 3, 5, 8, 8).unbind(0)
    mask = torch.zeros(3, 1, 5, 8, 8)
    mask[:2, :, :, 2:4, 2:4] = 1  # the third clip has no face
    loss = switched_loss(prediction, target, mask, torch.tensor([True, False, True]))
    square = (prediction - target).square()
    expected = torch.stack([square[0, :, :, 2:4, 2:4].mean(), square[1].mean(), square[2].mean()]).mean()
    assert torch.allclose(loss, expected)


def test_the_frames_mean_is_that_of_the_masked_videos() -> None:
    """mse(M x, M y) over all, which is the face's own mean times its share of the frame."""
    prediction, target = torch.randn(2, 2, 3, 5, 8, 8).unbind(0)
    mask = torch.zeros(2, 1, 5, 8, 8)
    mask[:, :, :, 2:4, 2:4] = 1
    on_face = torch.tensor([True, False])
    loss = switched_loss(prediction, target, mask, on_face, face_mean="frame")
    square = (prediction - target).square()
    masked = torch.nn.functional.mse_loss(mask[0] * prediction[0], mask[0] * target[0])
    assert torch.allclose(loss, (masked + square[1].mean()) / 2)
    assert torch.allclose(masked, square[0, :, :, 2:4, 2:4].mean() / 16)


def test_a_clip_without_a_face_is_not_masked() -> None:
    mask = torch.zeros(3, 1, 1, 2, 2)
    mask[:2, ..., :1] = 1
    switched = switch_mask(mask, torch.tensor([True, False, True]))
    assert torch.equal(switched[0], mask[0])
    assert (switched[1:] == 1).all()


def test_log_penalty_is_mean_psnr() -> None:
    prediction, target = torch.randn(2, 4, 3, 5, 8, 8).unbind(0)
    loss = switched_loss(prediction, target, torch.ones(4, 1, 5, 8, 8), torch.zeros(4, dtype=torch.bool), "log")
    psnr = torch.stack([10 * (4 / (p - t).square().mean()).log10() for p, t in zip(prediction, target, strict=True)])
    assert torch.allclose(10 * (torch.tensor(4.0).log() - loss) / torch.tensor(10.0).log(), psnr.mean(), atol=1e-3)


def test_structure_loss_is_one_minus_ssim() -> None:
    """Against the windowed definition, computed place by place."""
    a, b = torch.rand(2, 1, 3, 1, 13, 12).unbind(0)
    assert structure_loss(a, a).abs() < 1e-6
    x, y = luma(a)[0, 0, 0].double() + 1, luma(b)[0, 0, 0].double() + 1  # levels from 0, as SSIM needs
    taps = torch.exp(-0.5 * ((torch.arange(11).double() - 5) / 1.5) ** 2)
    window = torch.outer(taps, taps) / taps.sum() ** 2
    total = []
    for i in range(3):
        for j in range(2):
            u, v = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
            mu, mv = (window * u).sum(), (window * v).sum()
            su, sv, suv = (
                (window * u * u).sum() - mu**2,
                (window * v * v).sum() - mv**2,
                (window * u * v).sum() - mu * mv,
            )
            c1, c2 = 0.02**2, 0.06**2
            total.append((2 * mu * mv + c1) * (2 * suv + c2) / ((mu**2 + mv**2 + c1) * (su + sv + c2)))
    assert structure_loss(a, b).double() == pytest.approx(1 - float(torch.stack(total).mean()), abs=1e-5)


def test_temporal_loss_sees_flicker_and_no_steady_error() -> None:
    target = torch.rand(1, 3, 6, 8, 8)
    steady = target + 0.1 * torch.rand(1, 3, 1, 8, 8)
    flicker = target + 0.1 * torch.tensor([1.0, -1.0] * 3).view(1, 1, 6, 1, 1)
    assert temporal_loss(steady, target, "mse") < 1e-10
    assert temporal_loss(flicker, target, "mse") == pytest.approx(0.04, rel=1e-3)


def test_penalties() -> None:
    d = torch.tensor([-2.0, 0.0, 0.5])
    assert torch.equal(penalise(d, "mse"), d**2)
    assert torch.allclose(penalise(d, "charbonnier"), d.abs(), atol=1.1e-3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"face_probability": 1.5},
        {"face_mean": "nose"},
        {"space": "fourier"},
        {"penalty": "l7"},
        {"space": "latent", "structure": 0.1},
    ],
)
def test_a_loss_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        LossConfig(**wrong)  # type: ignore[arg-type]
