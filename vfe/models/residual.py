"""Convolutional parts of which the prior's encoder and the DiT's pyramid are built.

B batch, C channels, h w sides.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .ops import Ops


class ChannelNorm(nn.Module):
    """RMS norm over the channels of (B, C, h, w): each position by itself, so that tiles equal the whole frame."""

    def __init__(self, width: int, ops: Ops) -> None:
        super().__init__()
        self.norm = ops.RMSNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.movedim(1, -1)).movedim(-1, 1)


class ResidualBlock(nn.Module):
    """x + Conv(SiLU(Norm(Conv(SiLU(Norm(x))))))"""

    def __init__(self, width: int, ops: Ops) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(width, ops), ChannelNorm(width, ops)
        self.conv1, self.conv2 = (ops.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))
