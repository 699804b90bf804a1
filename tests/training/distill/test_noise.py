"""Noise of latents is mixed by the tau of each clip."""

from __future__ import annotations

import pytest
import torch

from training.distill.noise import check_tau, draw_tau, noised
from training.run.stage import Draw, Slots

Z = torch.zeros(4, 3, 2, 5, 5)


def test_it_is_mixed_by_the_tau_of_each_clip() -> None:
    z, noise = torch.randn(2, *Z.shape, generator=torch.Generator().manual_seed(0)).unbind(0)
    mixed = noised(z, torch.tensor([0.0, 0.25, 1.0, 1.0]), noise)
    assert torch.equal(mixed[0], z[0])
    assert torch.allclose(mixed[1], 0.75 * z[1] + 0.25 * noise[1])
    assert torch.equal(mixed[2:], noise[2:])


def test_tau_lies_within_its_bounds_and_differs() -> None:
    tau = torch.cat([draw_tau(Z, Draw(0, step, 0.0, Slots(0, 4, 4)), 0.2, 0.7) for step in range(20)])
    assert tau.min() >= 0.2
    assert tau.max() < 0.7
    assert tau.mean().item() == pytest.approx(0.45, abs=0.05)
    assert len(tau.unique()) == 80


def test_bounds_that_are_no_shares_are_refused() -> None:
    with pytest.raises(ValueError, match="needed 0 < lowest < highest"):
        check_tau(0.5, 0.5)
