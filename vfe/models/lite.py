"""The restorer that the package ships: codec, learned context and DiT, one step.

B batch, T H W pixel frames; z latent (B, C, t, h, w).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..types import Check
from .codec import CodecConfig, LappedCodec
from .dit import DiTConfig, WanDiT
from .flow import OneStepFlow
from .ops import TORCH_OPS, Ops


@dataclass(frozen=True, kw_only=True)
class LiteConfig:
    """Everything that a lite checkpoint's metadata says of its network."""

    dit: DiTConfig
    codec: CodecConfig = field(default_factory=CodecConfig)
    flow: OneStepFlow = field(default_factory=OneStepFlow)
    context_rows: int = 4

    def __post_init__(self) -> None:
        if self.dit.in_channels != self.codec.channels:
            raise ValueError(f"dit.in_channels={self.dit.in_channels}, the codec gives {self.codec.channels} channels")
        if self.context_rows < 1:
            raise ValueError(f"context_rows={self.context_rows}, needed at least 1")


class LiteRestorer(nn.Module):
    """z_hq = z_lq - s v(z_lq, t*, c): video in, clean video out; the context c is learned."""

    def __init__(self, config: LiteConfig, ops: Ops = TORCH_OPS) -> None:
        super().__init__()
        self.config = config
        self.codec = LappedCodec(config.codec)
        self.dit = WanDiT(config.dit, ops)
        self.context = nn.Parameter(torch.randn(1, config.context_rows, config.dit.text_dim))

    @property
    def flow(self) -> OneStepFlow:
        return self.config.flow

    @property
    def device(self) -> torch.device:
        return self.context.device

    @property
    def side_multiple(self) -> int:
        return self.config.codec.space * max(self.config.dit.patch[1:])

    def forward(self, z_lq: Tensor) -> Tensor:
        """Velocity of a degraded latent."""
        return self.dit(z_lq, self.config.flow.timestep, self.context)

    def velocity(self, z_lq: Tensor, check: Check) -> Tensor:
        """`forward` in the DiT's dtype."""
        check()
        return self(z_lq.to(self.context.dtype))
