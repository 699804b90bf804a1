"""What the loss of woven errors sees, and what it leaves to other losses."""

from __future__ import annotations

import torch
from torch import Tensor

from training.losses.lattice import AREA, BLOCK, lattice_loss
from training.losses.terms import CHARBONNIER_EPSILON

SIDE = 2 * BLOCK * AREA


def clip() -> Tensor:
    return torch.rand(2, 3, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_another_level_in_each_area_is_no_weave() -> None:
    levels = torch.rand(2, 3, 1, 2, 2).repeat_interleave(SIDE // 2, 3).repeat_interleave(SIDE // 2, 4)
    torch.testing.assert_close(
        lattice_loss(clip() + levels, clip()), torch.tensor(CHARBONNIER_EPSILON), atol=1e-6, rtol=0
    )


def test_a_weave_counts_in_full_and_noise_as_its_mean_of_blocks() -> None:
    noise = torch.randn(2, 3, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 0.2
    woven = torch.randn(BLOCK, BLOCK, generator=torch.Generator().manual_seed(2))
    woven = 0.2 * ((woven - woven.mean()) / woven.std()).tile(SIDE // BLOCK, SIDE // BLOCK)
    size_of_noise, size_of_weave = (float(lattice_loss(clip() + error, clip())) for error in (noise, woven))
    assert abs(size_of_weave / float(woven.abs().mean()) - 1) < 0.01
    blocks = AREA * AREA * 4  # of all frames
    assert abs(size_of_noise / (float(noise.abs().mean()) / blocks**0.5) - 1) < 0.1
