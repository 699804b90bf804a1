"""Noise for latents, and how much of it: functions of the seed, the step and the slot, as all random choices are.

B clips; z latent (B, C, t, h, w); tau (B,) in (0, 1).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..one_step import per_clip
from ..run.stage import Draw

SEEDS = 2**24
"""As many as `Draw.uniform` has numbers."""


def noised(z: Tensor, tau: Tensor, noise: Tensor) -> Tensor:
    """x_tau = (1 - tau) z + tau eps."""
    share = per_clip(tau)
    return (1 - share) * z + share * noise


def draw_noise(z: Tensor, draw: Draw) -> Tensor:
    """Standard normal noise like z in float32, made on the CPU: the same in any number of processes, on any device."""
    seeds = (draw.uniform(len(z)) * SEEDS).long().tolist()
    clips = [torch.randn(z.shape[1:], generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(clips).to(z.device)


def draw_tau(z: Tensor, draw: Draw, lowest: float, highest: float) -> Tensor:
    """A tau for each clip of z, evenly spread from `lowest` to `highest`."""
    return (lowest + (highest - lowest) * draw.uniform(len(z))).to(z.device)


def check_tau(lowest: float, highest: float) -> None:
    """Raise ValueError for bounds that are no shares of noise."""
    if not 0 < lowest < highest <= 1:
        raise ValueError(f"tau is from {lowest} to {highest}, needed 0 < lowest < highest <= 1")
