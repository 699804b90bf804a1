"""Losses of codes, pixels and structure against loops, and where their gradients go."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from training.losses.terms import (
    MS_SSIM_WEIGHTS,
    code_cross_entropy,
    code_loss,
    feature_loss,
    l1_loss,
    multi_scale_structure_loss,
    structure_loss,
)


def gradients(loss: Tensor, *inputs: Tensor) -> list[Tensor | None]:
    return list(torch.autograd.grad(loss, inputs, allow_unused=True))


def test_code_loss_is_the_formula_and_pulls_both_sides() -> None:
    torch.manual_seed(0)
    z, z_q = (torch.randn(2, 4, 2, 3, 3, requires_grad=True) for _ in range(2))
    squares = [(a - b) ** 2 for a, b in zip(z.flatten().tolist(), z_q.flatten().tolist(), strict=True)]
    mse = sum(squares) / len(squares)
    loss = code_loss(z, z_q, beta=0.25)
    assert loss.item() == pytest.approx(1.25 * mse, rel=1e-5)
    slope = 2 * (z - z_q).detach() / z.numel()
    to_z, to_q = gradients(loss, z, z_q)
    assert to_z is not None
    assert torch.allclose(to_z, 0.25 * slope)  # the encoder commits with beta
    assert to_q is not None
    assert torch.allclose(to_q, -slope)  # the entries follow with 1


def test_feature_loss_moves_the_latents_alone() -> None:
    z, z_q = (torch.randn(2, 4, 2, 3, 3, requires_grad=True) for _ in range(2))
    loss = feature_loss(z, z_q)
    to_z, to_q = gradients(loss, z, z_q)
    assert to_q is None
    assert to_z is not None
    assert torch.allclose(to_z, 2 * (z - z_q).detach() / z.numel())


def test_cross_entropy_is_the_mean_over_tokens() -> None:
    torch.manual_seed(1)
    logits, indices = torch.randn(2, 5, 2, 3, 2), torch.randint(5, (2, 2, 3, 2))
    total = 0.0
    for b in range(2):
        for t in range(2):
            for h in range(3):
                for w in range(2):
                    chances = logits[b, :, t, h, w].double().exp()
                    total -= float((chances[indices[b, t, h, w]] / chances.sum()).log())
    assert code_cross_entropy(logits, indices).item() == pytest.approx(total / (2 * 2 * 3 * 2), rel=1e-5)
    assert code_cross_entropy(torch.zeros(1, 8, 1, 2, 2), torch.zeros(1, 1, 2, 2).long()) == pytest.approx(
        torch.tensor(8.0).log().item()  # a predictor that knows nothing
    )


def test_l1() -> None:
    a, b = torch.randn(2, 2, 3, 2, 4, 4).unbind(0)
    expected = sum(abs(float(x) - float(y)) for x, y in zip(a.flatten(), b.flatten(), strict=True)) / a.numel()
    assert l1_loss(a, b).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("side", "scales"), [(11, 1), (22, 2), (44, 3), (176, 5), (400, 5)])
def test_multi_scale_structure_averages_the_scales_that_fit(side: int, scales: int) -> None:
    torch.manual_seed(2)
    a, b = (2 * torch.rand(2, 1, 3, 1, side, side + 5) - 1).unbind(0)
    expected, weights = 0.0, MS_SSIM_WEIGHTS[:scales]
    for scale, weight in enumerate(weights):
        size = 2**scale  # cells of a scale are means of size x size pixels, an odd rest is left out
        small = []
        for x in (a, b):
            height, width = x.shape[-2] // size, x.shape[-1] // size
            cells = x[..., : height * size, : width * size].reshape(1, 3, 1, height, size, width, size)
            small.append(cells.mean((4, 6)))
        expected += weight * float(structure_loss(*small))
    assert multi_scale_structure_loss(a, b).item() == pytest.approx(expected / sum(weights), rel=1e-4)
    assert multi_scale_structure_loss(a, a).abs() < 1e-5


def test_multi_scale_structure_has_a_gradient_at_the_start() -> None:
    """A product of scales has none there: a scale that is anticorrelated is clamped to zero."""
    target = 2 * torch.rand(1, 3, 2, 24, 24) - 1
    prediction = (-0.1 * target).requires_grad_()
    (to_prediction,) = gradients(multi_scale_structure_loss(prediction, target), prediction)
    assert to_prediction is not None
    assert to_prediction.norm() > 1e-3
    better = prediction.detach() - 0.01 * to_prediction / to_prediction.abs().max()
    assert multi_scale_structure_loss(better, target) < multi_scale_structure_loss(prediction, target)


def test_frames_smaller_than_the_window_are_refused() -> None:
    with pytest.raises(ValueError, match="needs 11 pixels"):
        multi_scale_structure_loss(torch.zeros(1, 3, 1, 10, 20), torch.zeros(1, 3, 1, 10, 20))
