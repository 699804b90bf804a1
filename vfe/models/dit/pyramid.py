"""Convolutions at finer scales around the DiT, joined by skips as in a U-Net (Ronneberger et al. 2015): our own choice.

A DiT whose tokens are as large as parts of a face would have to learn each filter anew for every position in a token.
So its patch embedding and its head are a pyramid of convolutions here, which work on fine detail at a fine scale.

B batch, C latent channels, t h w latent grid, W_i width of scale i and h_i w_i its sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ..ops import Ops
from ..residual import ChannelNorm, ResidualBlock


@dataclass(frozen=True, kw_only=True)
class PyramidScale:
    """One scale of the pyramid."""

    width: int
    """Channels."""
    space: int = 1
    """The factor by which its sides are smaller than those of the scale before."""
    blocks: int = 1
    """Residual blocks on the way in, and as many on the way out."""

    def __post_init__(self) -> None:
        if min(self.width, self.space) < 1 or self.blocks < 0:
            raise ValueError(f"width and space need to be at least 1, blocks at least 0: {self}")


def pyramid_space(scales: tuple[PyramidScale, ...]) -> int:
    """Return the factor by which all scales together divide a side."""
    return math.prod(scale.space for scale in scales)


class Neighbours(nn.Module):
    """x + a (the latent frame before) + b (the one after), a and b for each channel: nothing at first.

    A clip's ends are their own neighbours.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before, self.after = (nn.Parameter(torch.zeros(width, 1, 1)) for _ in range(2))

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Return features ((B t), W, h, w) of `frames` = t with those beside them; a single frame stays as it is."""
        if frames == 1:
            return x
        clip = x.unflatten(0, (-1, frames))
        before, after = torch.cat([clip[:, :1], clip[:, :-1]], 1), torch.cat([clip[:, 1:], clip[:, -1:]], 1)
        mixed = torch.addcmul(torch.addcmul(clip, before, self.before.to(x.dtype)), after, self.after.to(x.dtype))
        return mixed.flatten(0, 1)


class Fold(nn.Module):
    """Gathers squares of `space` pixels into channels and mixes them by a convolution: C (h q) (w q) -> W h w."""

    def __init__(self, before: int, scale: PyramidScale, ops: Ops) -> None:
        super().__init__()
        kernel = 3 if scale.space == 1 else scale.space
        self.conv = ops.Conv2d(
            before, scale.width, kernel, stride=scale.space, padding=kernel // 2 * (scale.space == 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Unfold(nn.Module):
    """Spreads channels over squares of pixels, the way back from `Fold`: W h w -> C (h q) (w q)."""

    def __init__(self, scale: PyramidScale, after: int, ops: Ops) -> None:
        super().__init__()
        self.space = scale.space
        kernel = 3 if scale.space == 1 else 1
        self.conv = ops.Conv2d(scale.width, after * scale.space**2, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv(x), self.space) if self.space > 1 else self.conv(x)


class Way(nn.Module):
    """The residual blocks of one scale, before which the latent frames beside are mixed in."""

    def __init__(self, scale: PyramidScale, ops: Ops) -> None:
        super().__init__()
        self.neighbours = Neighbours(scale.width)
        self.blocks = nn.Sequential(*(ResidualBlock(scale.width, ops) for _ in range(scale.blocks)))

    def forward(self, x: Tensor, frames: int) -> Tensor:
        return self.blocks(self.neighbours(x, frames))


class Pyramid(nn.Module):
    """`inward` before the DiT's patch embedding, `outward` after its head; untrained, the velocity is zero."""

    def __init__(self, channels: int, scales: tuple[PyramidScale, ...], ops: Ops, latents: int = 1) -> None:
        """`latents` of so many channels each come in, one after the other, and the velocity of the first goes out."""
        super().__init__()
        self.channels_in = latents * channels
        before = (channels, *(scale.width for scale in scales[:-1]))
        widths_in = (self.channels_in, *before[1:])
        self.folds = nn.ModuleList(Fold(width, scale, ops) for width, scale in zip(widths_in, scales, strict=True))
        self.ways_in = nn.ModuleList(Way(scale, ops) for scale in scales)
        self.ways_out = nn.ModuleList(Way(scale, ops) for scale in scales)
        self.unfolds = nn.ModuleList(Unfold(scale, width, ops) for width, scale in zip(before, scales, strict=True))
        self.norm = ChannelNorm(scales[0].width, ops)
        self.gain = nn.Parameter(torch.ones(channels, 1, 1))
        """The size of velocities in each channel, which differs between them."""
        last = self.unfolds[0]
        assert isinstance(last, Unfold)
        nn.init.zeros_(last.conv.weight)
        nn.init.zeros_(last.conv.bias)

    def inward(self, z: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the coarsest scale (B, W, t, h', w') of a latent (B, C, t, h, w), and all scales as skips.

        The skips are ((B t), W_i, h_i, w_i). A latent that comes without the one that should follow it is its own.
        """
        if z.shape[1] < self.channels_in:
            z = z.repeat(1, 2, 1, 1, 1)
        frames = z.shape[2]
        x = rearrange(z, "b c t h w -> (b t) c h w").contiguous(memory_format=torch.channels_last)
        skips = []
        for fold, way in zip(self.folds, self.ways_in, strict=True):
            x = way(fold(x), frames)
            skips.append(x)
        return rearrange(x, "(b t) c h w -> b c t h w", t=frames), skips

    def outward(self, x: Tensor, skips: list[Tensor]) -> Tensor:
        """Return the velocity (B, C, t, h, w) for what the DiT's head gives, (B, W, t, h', w'), and the skips."""
        frames = x.shape[2]
        x = rearrange(x, "b c t h w -> (b t) c h w").contiguous(memory_format=torch.channels_last)
        for index in reversed(range(len(skips))):
            x = self.ways_out[index](x + skips[index], frames)
            x = self.unfolds[index](F.silu(self.norm(x)) if index == 0 else x)
        return rearrange(x * self.gain.to(x.dtype), "(b t) c h w -> b c t h w", t=frames)
