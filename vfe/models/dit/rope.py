"""The three-dimensional rotary position embedding of Wan2.1.

N heads, d head width; L = t*h*w tokens. A head's width is split into parts for time, height and width.
"""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from torch import Tensor

from ...types import VideoShape

THETA = 10000.0


def axis_widths(head_dim: int) -> tuple[int, int, int]:
    """Return the channels of a head that turn with time, height and width: a third for each side, the rest for time."""
    space = 2 * (head_dim // 6)
    return head_dim - 2 * space, space, space


def rope_angles(grid: VideoShape, head_dim: int, device: torch.device) -> Tensor:
    """Return the angle of each channel pair at each token, (L, head_dim / 2) float32 on `device`.

    It is computed in float64 on the CPU, for not every device has float64.
    """
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
    """Rotates channels by angles (..., m, d/2); pairs are adjacent channels (2i, 2i+1), as in the official code."""

    def __init__(self, angles: Tensor, dtype: torch.dtype) -> None:
        self.cos = repeat(angles.cos(), "... d -> ... 1 (d two)", two=2).to(dtype)
        sin = angles.sin()
        self.sin = rearrange(torch.stack([-sin, sin], dim=-1), "... d two -> ... 1 (d two)").to(dtype)
        as_complex = angles.device.type == "cpu" and dtype == torch.float32 and not torch.compiler.is_compiling()
        self.turn = torch.polar(torch.ones_like(angles), angles).unsqueeze(-2) if as_complex else None

    def __call__(self, x: Tensor) -> Tensor:
        """Rotate x (..., m, n, d), n heads alike: each pair (a, b) becomes (a cos - b sin, b cos + a sin)."""
        if self.turn is not None and x.dtype == torch.float32 and not torch.compiler.is_compiling():
            return _turned(x, self.turn)
        swapped = x.unflatten(-1, (-1, 2)).flip(-1).flatten(-2)
        return torch.addcmul(x * self.cos, swapped, self.sin)


def _turned(x: Tensor, turn: Tensor) -> Tensor:
    """Return x (..., m, n, d) times `turn` (..., m, 1, d/2), both as complex numbers: the same rotation.

    A CPU, which swaps neighbours one by one, needs a fifth of the time in float32. In bfloat16 the casts take what is
    gained, torch.compile makes no code for complex numbers, and not every kind of GPU has them.
    """
    return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2))) * turn).flatten(-2)
