"""Latents with noise, and how much of it.

B clips; z latent (B, C, t, h, w), or points (B, ...) of any shape; tau (B,) in (0, 1).
"""

from __future__ import annotations

from torch import Tensor

from ..run.stage import Draw


def noised(z: Tensor, tau: Tensor, noise: Tensor) -> Tensor:
    """x_tau = (1 - tau) z + tau eps."""
    share = tau.view(-1, *[1] * (z.ndim - 1))
    return (1 - share) * z + share * noise


def draw_tau(z: Tensor, draw: Draw, lowest: float, highest: float) -> Tensor:
    """A tau for each clip of z, evenly spread from `lowest` to `highest`."""
    return (lowest + (highest - lowest) * draw.uniform(len(z))).to(z.device)


def check_tau(lowest: float, highest: float) -> None:
    """Raise ValueError for bounds that are no shares of noise."""
    if not 0 < lowest < highest <= 1:
        raise ValueError(f"tau is from {lowest} to {highest}, needed 0 < lowest < highest <= 1")
