"""TwinFlow (arXiv 2512.05150): one network is restorer, flow model of clean latents and flow model of its own results.

Negative timesteps mark the fake flow. With x = z_lq - s F(z_lq, t*), x_tau = (1 - tau) x + tau eps and t = 1000 tau:

    L_real    = |F(z_tau, t) - (eps - z_hq)|^2            the flow of clean latents,
    L_fake    = |F(x_tau, -t) - (eps - sg x)|^2           the flow of the network's own results,
    D         = clamp(F(x'_tau, -t') - F(x'_tau, t')),    without gradient, x' noised anew,
    L_rectify = |F(z_lq, t*) - sg(F(z_lq, t*) - D)|^2.

As x0 = x_tau - tau F, following -D moves x along x0_real - x0_fake: distribution matching without teacher, fake net or
critic. The three losses, the clamp to [-1, 1] and the weight of 0.5 are the paper's (its code). Ours: the start is a
degraded latent at t* instead of noise at 1, the paper's consistency over steps is left out as one step is all that is
taken, all clips serve all three losses, and plain means of squares stand for its reweighted ones.

B clips; z latent (B, C, t, h, w); tau (B,) in (0, 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vfe.models.flow import TRAIN_TIMESTEPS

from ...run.stage import Draw, full_precision
from ..batch import DistillBatch, pairs_of
from ..method import Addition
from ..noise import check_tau, draw_tau, noised
from ..restorer import LatentRestorer

Velocity = Callable[[Tensor, Tensor], Tensor]
"""v(z, t): latents (B, C, t, h, w) and timesteps (B,) from -1000 to 1000 -> velocities of the shape of z."""

MOST_DIFFERENCE = 1.0
"""To which D is clamped, as in the paper's code."""


@dataclass(frozen=True, kw_only=True)
class TwinConfig:
    """Weights of the three losses. `lowest` and `highest` bound tau: at 0 the two flows cannot be told apart."""

    real: float = 1.0
    fake: float = 1.0
    rectify: float = 0.5
    lowest: float = 0.02
    highest: float = 0.98

    def __post_init__(self) -> None:
        if min(self.real, self.fake, self.rectify) < 0:
            raise ValueError(
                f"twin has weights real={self.real}, fake={self.fake}, rectify={self.rectify}, needed 0 or more of each"
            )
        check_tau(self.lowest, self.highest)


def difference_of_flows(velocity: Velocity, x: Tensor, tau: Tensor, noise: Tensor) -> Tensor:
    """D of results x, without gradient: how far the fake flow's velocity is from the real one's, in one pass."""
    with torch.no_grad():
        x_tau = noised(x, tau, noise)
        both = velocity(torch.cat([x_tau, x_tau]), TRAIN_TIMESTEPS * torch.cat([-tau, tau]))
        fake, real = both.float().chunk(2)
        return (fake - real).clamp(-MOST_DIFFERENCE, MOST_DIFFERENCE)


def rectify_loss(velocity: Tensor, difference: Tensor) -> Tensor:
    """L_rectify: its value is |D|^2, its gradient to the one step's velocity is 2 D over the number of elements."""
    return (velocity - (velocity - difference).detach()).square().mean()


class TwinTerms(Addition):
    """L_real, L_fake and L_rectify. Clips without a clean twin have no L_real, and both others."""

    def __init__(self, config: TwinConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:
        config, model = self.config, student.model
        tau = draw_tau(z_hq, draw, config.lowest, config.highest)
        real, fake = flow_losses(model.velocity, batch, z_hq.detach(), tau, draw.noise(z_hq))
        again = draw_tau(z_hq, draw, config.lowest, config.highest)
        difference = difference_of_flows(model.velocity, z_hq.detach(), again, draw.noise(z_hq))
        with full_precision(z_hq.device):
            rectify = rectify_loss(model.flow.target_velocity(batch.z_lq, z_hq), difference)
        return {"real": config.real * real, "fake": config.fake * fake, "rectify": config.rectify * rectify}


def flow_losses(
    velocity: Velocity, batch: DistillBatch, x: Tensor, tau: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """L_real and L_fake in one pass, with the same tau and noise for both; L_real of unpaired clips counts as 0."""
    paired = batch.paired
    pairs, _, _ = pairs_of(batch, x)
    z = torch.cat([noised(pairs.z_hq, tau[paired], noise[paired]), noised(x, tau, noise)])
    v = velocity(z, TRAIN_TIMESTEPS * torch.cat([tau[paired], -tau])).float()
    errors = v - torch.cat([noise[paired] - pairs.z_hq, noise - x])
    of_clips = errors.square().flatten(1).mean(1)
    real, fake = of_clips[: len(pairs.z_hq)], of_clips[len(pairs.z_hq) :]
    return real.sum() / len(x), fake.mean()
