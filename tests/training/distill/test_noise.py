"""Noise of latents: mixed by the tau of each clip, and the same in one process as in two."""

from __future__ import annotations

import pytest
import torch

from training.distill.noise import check_tau, draw_noise, draw_tau, noised
from training.run.stage import Draw, Slots

WHOLE = Slots(0, 4, 4)
Z = torch.zeros(4, 3, 2, 5, 5)


def drawn(slots: Slots, step: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw, z = Draw(1, step, 0.0, slots), Z[: slots.count]
    return draw_tau(z, draw, 0.2, 0.7), draw_noise(z, draw)


def test_it_is_mixed_by_the_tau_of_each_clip() -> None:
    z, noise = torch.randn(2, *Z.shape, generator=torch.Generator().manual_seed(0)).unbind(0)
    mixed = noised(z, torch.tensor([0.0, 0.25, 1.0, 1.0]), noise)
    assert torch.equal(mixed[0], z[0])
    assert torch.allclose(mixed[1], 0.75 * z[1] + 0.25 * noise[1])
    assert torch.equal(mixed[2:], noise[2:])


def test_two_processes_draw_what_one_does() -> None:
    tau, noise = drawn(WHOLE)
    halves = [drawn(WHOLE.part(index, 2)) for index in range(2)]
    assert torch.equal(tau, torch.cat([half[0] for half in halves]))
    assert torch.equal(noise, torch.cat([half[1] for half in halves]))


def test_no_two_clips_or_steps_have_the_same_noise() -> None:
    (tau, noise), (later, other) = drawn(WHOLE), drawn(WHOLE, step=1)
    clips = [*noise, *other]
    assert len({float(clip.sum()) for clip in clips}) == 8
    assert torch.cat([tau, later]).min() > 0.2
    assert torch.cat([tau, later]).max() < 0.7
    assert noise.mean().item() == pytest.approx(0, abs=0.15)
    assert noise.std().item() == pytest.approx(1, abs=0.1)


def test_bounds_that_are_no_shares_are_refused() -> None:
    with pytest.raises(ValueError, match="needed 0 < lowest < highest"):
        check_tau(0.5, 0.5)
