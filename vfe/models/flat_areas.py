"""What a velocity does to flat areas, without the faint grid of its tokens.

A DiT on a codec of blocks gives each token some of the same pattern, of half a level or less. Where a picture has
structure nobody can see it, but in a dark or even area, seen bright, it is a grid. So there small coefficients of the
velocity count for less; its means over blocks and frames, which are light and colour, stay. Our own choice, in neither
paper.

B batch, C channels, t h w latent grid.
"""

from __future__ import annotations

import math

import torch
from einops import rearrange
from torch import Tensor

from .lapped_codec import LappedCodec

FLAT = 1.5
"""Levels of 255: a block is flat by 1 / e where its three colours differ by that much from their means, the root of the
sum of their mean squares."""
SMALL = 0.25
"""Levels of 255, a root mean square: a coefficient that changes its block by that much, alone, counts by half where the
area is perfectly flat."""
LEAST = 0.01
"""Areas that are less flat than this keep their velocity to the bit."""
TINY = 1e-12  # so that nothing is divided by 0
ROWS = 16
"""Rows of blocks that are done at once: 3 MB of a frame of 512x512, which stay in a processor's cache."""


def without_grid_(velocity: Tensor, z_lq: Tensor, codec: LappedCodec, step: float) -> Tensor:
    """Make small coefficients of a velocity (B, C, t, h, w) smaller where z_lq is flat, in its own memory; return it.

    p / (p + f SMALL^2) of each is kept, with p the mean square of what it changes in a step of that length and f the
    flatness, from 0 to 1.
    """
    levels = _levels(codec).to(z_lq.device)
    rows = (rearrange(latent, "b c t h w -> t h b w c") for latent in (velocity, z_lq))  # views, whatever their layout
    for frames in zip(*rows, strict=True):
        for v, z in zip(*(frame.split(ROWS) for frame in frames), strict=True):
            _shrink_(v, step * levels, SMALL**2 * _flatness(z, levels)[..., None] * (levels > 0))
    return velocity


def _flatness(z: Tensor, levels: Tensor) -> Tensor:
    """Return how flat blocks (h, B, w, C) are: (h, B, w), 0 to 1."""
    flatness = torch.exp(-(z.float().square() @ levels.square()) / FLAT**2)
    return torch.where(flatness >= LEAST, flatness, 0)


def _shrink_(v: Tensor, levels: Tensor, small: Tensor) -> None:
    """Keep p / (p + small) of coefficients (..., C), with p = (v levels)^2, in their memory; where small is 0, all."""
    power = (v * levels).square_()
    v.mul_(power.add_(small).add_(TINY).reciprocal_().mul_(-small).add_(1))


def _levels(codec: LappedCodec) -> Tensor:
    """Return by how many levels of 255, a root mean square, a coefficient of 1 changes its block: (C,).

    For the mean of each colour it is 0.
    """
    values = codec.config.time * codec.config.space**2
    levels = (127.5 / math.sqrt(values) / codec.scale.float()).reshape(3, -1)
    return torch.cat([torch.zeros_like(levels[:, :1]), levels[:, 1:]], dim=1).flatten()
