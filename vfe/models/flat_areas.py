"""What a velocity does to flat areas, without the faint grid of its tokens.

A DiT on a codec of blocks gives each token some of the same pattern, of half a level or less. Where a picture has
structure nobody can see it, but in a dark or even area, seen bright, it is a grid. So there small coefficients of the
velocity count for less; its means over blocks and frames, which are light and colour, stay. Our own choice, in neither
paper.

B batch, C channels, t h w latent grid, n tokens.
"""

from __future__ import annotations

import math

import torch
from einops import rearrange
from torch import Tensor

from .lapped_codec import LappedCodec

FLAT = 1.5
"""Levels of 255, a root mean square: a block that differs by that much from its mean is flat by 1 / e."""
SMALL = 0.25
"""Levels of 255, a root mean square: a coefficient that changes its block by that much, alone, counts by half where the
area is perfectly flat."""
LEAST = 0.01
"""Areas that are less flat than this keep their velocity to the bit."""
AT_ONCE = 1024
"""Blocks that are squared at once: 3 MB, which stay in a processor's cache."""


def without_grid(velocity: Tensor, z_lq: Tensor, codec: LappedCodec) -> Tensor:
    """Return a velocity (B, C, t, h, w) with less of its small coefficients where z_lq is flat; it may be changed.

    p / (p + f SMALL^2) of each is kept, with p the mean square of what it changes and f the flatness, from 0 to 1.
    """
    levels = _levels(codec).to(z_lq.device)
    blocks = rearrange(z_lq, "b c t h w -> (b t h w) c")
    energy = torch.cat([part.float().square() @ levels.square() for part in blocks.split(AT_ONCE)])
    flatness = torch.exp(-energy / FLAT**2)
    flat = (flatness >= LEAST).nonzero().squeeze(1)
    tokens = rearrange(velocity, "b c t h w -> (b t h w) c")
    v = tokens[flat].float()
    power = (v * levels).square()
    kept = torch.where(levels > 0, power / (power + SMALL**2 * flatness[flat, None]), 1)
    tokens[flat] = (v * kept).to(velocity.dtype)
    b, _, t, h, w = velocity.shape
    return rearrange(tokens, "(b t h w) c -> b c t h w", b=b, t=t, h=h, w=w)


def _levels(codec: LappedCodec) -> Tensor:
    """Return by how many levels of 255, a root mean square, a coefficient of 1 changes its block: (C,).

    For the mean of each colour it is 0.
    """
    values = codec.config.time * codec.config.space**2
    levels = (127.5 / math.sqrt(values) / codec.scale.float()).reshape(3, -1)
    return torch.cat([torch.zeros_like(levels[:, :1]), levels[:, 1:]], dim=1).flatten()
