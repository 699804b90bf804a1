"""Three-dimensional rotary position embedding of Wan2.1.

N heads, d head width; L = t*h*w tokens. A head's width is split into parts for time, height and width.
"""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from torch import Tensor

from ...types import VideoShape

THETA = 10000.0


def axis_widths(head_dim: int) -> tuple[int, int, int]:
    """Channels of a head that rotate with time, height, width: a third each in space, the rest in time."""
    space = 2 * (head_dim // 6)
    return head_dim - 2 * space, space, space


def rope_angles(grid: VideoShape, head_dim: int, device: torch.device) -> Tensor:
    """Angle of each channel pair at each token: (L, head_dim / 2), float32 from float64, which not every device has."""
    axes = []
    for size, width in zip(grid, axis_widths(head_dim), strict=True):
        frequency = THETA ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
        axes.append(torch.outer(torch.arange(size, dtype=torch.float64), frequency))
    t, h, w = grid
    angles: list[Tensor] = [
        repeat(axes[0], "t d -> t h w d", h=h, w=w),
        repeat(axes[1], "h d -> t h w d", t=t, w=w),
        repeat(axes[2], "w d -> t h w d", t=t, h=h),
    ]
    return rearrange(torch.cat(angles, dim=-1), "t h w d -> (t h w) d").float().to(device)


class Rotation:
    """cos and sin of (..., d/2) angles, laid out for adjacent channel pairs (2i, 2i+1) as in the official code."""

    def __init__(self, angles: Tensor, dtype: torch.dtype) -> None:
        self.cos = repeat(angles.cos(), "... d -> ... 1 (d two)", two=2).to(dtype)
        sin = angles.sin()
        self.sin = rearrange(torch.stack([-sin, sin], dim=-1), "... d two -> ... 1 (d two)").to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """Rotate (..., N, d) in the dtype of x: each pair (a, b) -> (a cos - b sin, b cos + a sin)."""
        swapped = x.unflatten(-1, (-1, 2)).flip(-1).flatten(-2)
        return torch.addcmul(x * self.cos, swapped, self.sin)
