"""The transformers that predict codes from the tokens of a degraded clip (T_s and T_t of DVFace, section 3.2).

B batch, t h w token grid, L = t*h*w tokens, D width, K entries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from ...types import VideoShape
from ..dit.model import DiTConfig, FeedForward, LearnedPositions, PositionCache, SelfAttention, TokenPositions
from ..dit.window_attention import attend
from ..ops import Ops
from .config import PriorConfig


class PredictorBlock(nn.Module):
    """x + Attention(LayerNorm(x)), then x + FeedForward(LayerNorm(x)), with the DiT's layers: RoPE and q/k norm."""

    def __init__(self, config: DiTConfig, ops: Ops) -> None:
        super().__init__()
        self.norm1, self.norm2 = (ops.LayerNorm(config.dim, eps=config.eps) for _ in range(2))
        self.self_attn = SelfAttention(config, ops, attend)
        self.ffn = FeedForward(config, ops)

    def forward(self, x: Tensor, positions: TokenPositions) -> Tensor:
        x = x + self.self_attn(self.norm1(x), positions)
        return x + self.ffn(self.norm2(x), positions.layout.grid)


class CodePredictor(nn.Module):
    """Predicts from latents (B, d, t, h, w) which of the K entries each token of the clean clip has."""

    def __init__(self, config: PriorConfig, ops: Ops) -> None:
        super().__init__()
        size = config.predictor
        self.config = DiTConfig(
            dim=size.width,
            heads=size.heads,
            layers=size.layers,
            ffn_dim=size.ffn_dim,
            window=size.window,
            places=size.places,
        )
        self._positions = PositionCache(self.config)
        self.embed = ops.Linear(config.dim, size.width)
        self.places = LearnedPositions(size.places, size.width) if size.places else None
        self.blocks = nn.ModuleList(PredictorBlock(self.config, ops) for _ in range(size.layers))
        self.norm = ops.LayerNorm(size.width, eps=self.config.eps)
        self.head = ops.Linear(size.width, config.entries)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> CodePredictor:
        """Called by `to` and the like: drops the positions that were kept, which are on the former device."""
        self._positions = PositionCache(self.config)
        return super()._apply(fn, recurse)

    def forward(self, z: Tensor) -> Tensor:
        """Return the logits (B, t, h, w, K)."""
        return self.head(self.features(z))

    def indices(self, z: Tensor) -> Tensor:
        """Return the indices of the likeliest entries, (B, t, h, w). Logits are large, and made frame by frame."""
        return torch.stack([self.head(frame).max(-1).indices for frame in self.features(z).unbind(1)], dim=1)

    def features(self, z: Tensor) -> Tensor:
        """Return the features that the head reads, (B, t, h, w, D)."""
        grid = VideoShape(*z.shape[2:])
        x = self.embed(rearrange(z, "b d t h w -> b (t h w) d"))
        x = x if self.places is None else self.places(x, grid)
        positions = self._positions(grid, x)
        for index, block in enumerate(self.blocks):
            x = block(x, positions[index])
        return rearrange(self.norm(x), "b (t h w) d -> b t h w d", t=grid.frames, h=grid.height)
