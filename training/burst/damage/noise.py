"""Noise of sensors and film, in levels of 255.

B batch, T C C frames of a camera.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..dice import Dice, append_axes


class Noise(NamedTuple):
    """The noise of each clip; every field is (B,)."""

    sigma: Tensor
    grey: Tensor
    """Bool: the same in all colours."""
    still: Tensor
    """Bool: the same in all frames, as a dirty lens or a bad sensor has it."""
    coarse: Tensor
    """Bool: grains larger than a pixel."""
    shot: Tensor
    """0 to 1: how much stronger it is where the picture is bright."""


def draw_noise(dice: Dice, sigma: Tensor) -> Noise:
    """Draw the kind of noise of each clip; `sigma` (B,) is its standard deviation in levels of 255."""
    return Noise(sigma, dice.chance(0.35), dice.chance(0.08), dice.chance(0.25), dice.uniform(0, 1))


def apply_noise(video: Tensor, noise: Noise, dice: Dice) -> Tensor:
    """Add the noise to frames (B, T, 3, C, C) in levels of 255; `dice` draws the values."""
    if not bool((noise.sigma > 0).any()):
        return video
    field = dice.field(*video.shape[1:])
    field = torch.where(append_axes(noise.grey, 5), field[:, :, :1], field)
    field = torch.where(append_axes(noise.still, 5), field[:, :1], field)
    soft = F.avg_pool2d(F.pad(field.flatten(0, 1), (1, 1, 1, 1), mode="replicate"), 3, 1).view_as(field) * 2.2
    field = torch.where(append_axes(noise.coarse, 5), soft, field)
    level = (video.mean(2, keepdim=True) / 128).clamp(0.1, 2).sqrt()
    strength = torch.lerp(torch.ones_like(level), level, append_axes(noise.shot, 5))
    return video + field * strength * append_axes(noise.sigma, 5)
