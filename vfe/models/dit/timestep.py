"""Timesteps as a transformer takes them: of 1000, and as sinusoids.

B batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

Timestep = float | Tensor
"""A timestep of 1000 for all clips of a batch, or one for each, (B,)."""


def timestep_embedding(timestep: Timestep, dim: int, device: torch.device) -> Tensor:
    """Return the sinusoids of timesteps, cosines first: (1 or B, dim), float32 computed in float64."""
    half = dim // 2
    frequency = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float64) / half)
    angle = torch.as_tensor(timestep, dtype=torch.float64).cpu().reshape(-1, 1) * frequency
    return torch.cat([angle.cos(), angle.sin()], 1).float().to(device)
