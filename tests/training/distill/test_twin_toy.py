"""TwinFlow on four points in the plane: without a teacher one step from noise goes towards all four alike."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from training.distill.methods.twin import difference_of_flows, rectify_loss
from training.distill.noise import noised
from vfe.models.dit.model import timestep_embedding

pytestmark = pytest.mark.slow

MODES = torch.tensor([[2.0, 2.0], [2.0, -2.0], [-2.0, 2.0], [-2.0, -2.0]])
CLIPS, STEPS = 128, 800


class Velocity(nn.Module):
    """F of latents (B, 2, 1, 1, 1) and timesteps (B,)."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [2 + 32, 64, 64, 64]
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.SiLU())]
        self.net = nn.Sequential(*layers, nn.Linear(64, 2))

    def forward(self, z: Tensor, timestep: Tensor) -> Tensor:
        v: Tensor = self.net(torch.cat([z.flatten(1), timestep_embedding(timestep, 32, z.device)], 1))
        return v.view(z.shape)


def around_modes(count: int, generator: torch.Generator) -> Tensor:
    points = MODES[torch.randint(4, (count,), generator=generator)] + 0.2 * torch.randn(count, 2, generator=generator)
    return points.view(count, 2, 1, 1, 1)


def distances(velocity: Velocity, generator: torch.Generator) -> Tensor:
    """Of one-step results to the modes, (N, 4)."""
    noise = torch.randn(2000, 2, 1, 1, 1, generator=generator)
    with torch.no_grad():
        return torch.cdist((noise - velocity(noise, torch.full((2000,), 1000.0))).view(-1, 2), MODES)


def terms_of(velocity: Velocity, generator: torch.Generator) -> Tensor:
    """L_real + L_fake + L_rectify / 2 of a batch, where one step leads from noise at t* = 1000 to a point."""
    noise, other, again = torch.randn(3, CLIPS, 2, 1, 1, 1, generator=generator).unbind(0)
    tau, later = (0.02 + 0.96 * torch.rand(CLIPS, generator=generator) for _ in range(2))
    step, real = velocity(noise, torch.full((CLIPS,), 1000.0)), around_modes(CLIPS, generator)
    fake = (noise - step).detach()
    latents = torch.cat([noised(real, tau, other), noised(fake, tau, other)])
    error = velocity(latents, 1000 * torch.cat([tau, -tau])) - torch.cat([other - real, other - fake])
    difference = difference_of_flows(velocity, fake, later, again)
    return 2 * error.square().mean() + 0.5 * rectify_loss(step, difference)


def test_one_step_from_noise_goes_towards_all_modes() -> None:
    torch.manual_seed(0)
    generator, velocity = torch.Generator().manual_seed(1), Velocity()
    optimizer = torch.optim.AdamW(velocity.parameters(), lr=2e-3)
    before = distances(velocity, generator)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = 2e-3 * min(1, (step + 1) / 50) * (1 - 0.9 * step / STEPS)
        optimizer.zero_grad()
        terms_of(velocity, generator).backward()
        optimizer.step()
    after = distances(velocity, generator)
    shares = after.argmin(1).bincount(minlength=4) / len(after)
    assert after.amin(1).mean() < 0.85 * before.amin(1).mean()
    assert shares.min() > 0.15
