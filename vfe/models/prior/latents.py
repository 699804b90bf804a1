"""The temporal and the spatial latents that are made of z_l (DVFace, eq. 4 and 5).

z (B, d, t, h, w), N heads.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ..dit.window_attention import attend
from ..ops import Ops


def frame_difference(z: Tensor) -> Tensor:
    """Return FrameDiff: each latent frame less the one before; zero for the first."""
    return torch.cat([torch.zeros_like(z[:, :, :1]), z.diff(dim=2)], dim=2)


class TemporalLatents(nn.Module):
    """z_t = TemporalAttn(z_l) + FrameDiff(z_l), with attention along time in h w sequences of t x d."""

    def __init__(self, dim: int, heads: int, ops: Ops) -> None:
        super().__init__()
        self.heads = heads
        self.norm = ops.RMSNorm(dim, eps=1e-6)
        self.q, self.k, self.v, self.o = (ops.Linear(dim, dim) for _ in range(4))

    def forward(self, z: Tensor) -> Tensor:
        return self.attention(z) + frame_difference(z)

    def attention(self, z: Tensor) -> Tensor:
        """Return TemporalAttn(z) of z (B, d, t, h, w), in its shape."""
        b, _, _, h, _ = z.shape
        x = rearrange(z, "b d t h w -> (b h w) t d").contiguous()  # else a product of matrices for each position
        x = self.norm(x)
        split = "g t (n c) -> g n t c"
        q, k, v = (rearrange(project(x), split, n=self.heads) for project in (self.q, self.k, self.v))
        x = self.o(rearrange(attend(q, k, v, None), "g n t c -> g t (n c)"))
        return rearrange(x, "(b h w) t d -> b d t h w", b=b, h=h)


class SpatialLatents(nn.Module):
    """z_s = Conv2(SiLU(Conv1(z_l))) on each latent frame."""

    def __init__(self, dim: int, ops: Ops) -> None:
        super().__init__()
        self.conv1, self.conv2 = (ops.Conv2d(dim, dim, 3, padding=1) for _ in range(2))

    def forward(self, z: Tensor) -> Tensor:
        x = rearrange(z, "b d t h w -> (b t) d h w").contiguous(memory_format=torch.channels_last)
        return rearrange(self.conv2(F.silu(self.conv1(x))), "(b t) d h w -> b d t h w", t=z.shape[2])
