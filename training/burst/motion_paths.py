"""Random paths along which things move during a clip: a start, a steady drift and a slow swing.

B clips, T frames, K independent paths of a clip.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .dice import Dice, append_axes


def random_path(dice: Dice, frames: int, start: float, drift: float, swing: float, width: int = 0) -> Tensor:
    """The values of a path at each frame: (B, T), or (B, T, width) of independent paths.

    `start` and `drift` (per frame) are standard deviations, `swing` is the largest amplitude of a sine of 8 to 40
    frames.
    """
    shape = (width,) if width else ()
    time = torch.arange(frames, device=dice.device, dtype=torch.float32).view(1, frames, *[1] * len(shape))
    period = dice.uniform(8, 40, 1, *shape)
    phase = dice.uniform(0, 2 * math.pi, 1, *shape)
    amplitude = dice.uniform(0, swing, 1, *shape)
    steady = dice.normal(1, *shape) * start + dice.normal(1, *shape) * drift * (time - frames / 2)
    return steady + amplitude * torch.sin(2 * math.pi * time / period + phase)


def random_bump(dice: Dice, frames: int, probability: float) -> Tensor:
    """The strength, from 0 to 1, of something that happens once for 3 to 8 frames, such as a blink: (B, T). In clips
    where it does not happen, all zeros."""
    time = torch.arange(frames, device=dice.device, dtype=torch.float32)
    middle, width = dice.uniform(0, frames)[:, None], dice.uniform(1.0, 2.5)[:, None]
    return torch.exp(-0.5 * ((time - middle) / width) ** 2) * append_axes(dice.chance(probability).float(), 2)
