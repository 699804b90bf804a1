"""The DiT for one timestep and one prompt: what depends on these alone is folded into the weights.

    x + gate Attention(LayerNorm(x) (1 + scale) + shift)  ->  x + Attention'(LayerNorm(x))

Scale and shift are in q, k, v and ffn.0, the gates in o and ffn.2, norm3's affine in the cross-attention's q, the
prompt in constants: the networks of time and text are gone, and of a prompt of one row o's bias is left. Equal to
`WanDiT` but for rounding.

B batch, C latent channels, t h w latent grid, L tokens, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...types import VideoShape
from .fold_linear import fold_input, fold_output
from .fold_prompt import PromptRows, fold_cross_attention
from .model import (
    Block,
    FeedForward,
    Fuse,
    PositionCache,
    SelfAttention,
    TokenPositions,
    WanDiT,
    as_tokens,
    timestep_embedding,
    unpatch,
)


class FoldedBlock(nn.Module):
    """A block without modulation: x + f(LayerNorm(x)) for self-attention, cross-attention and feed-forward."""

    def __init__(self, self_attn: SelfAttention, cross_attn: nn.Module | None, ffn: FeedForward, eps: float) -> None:
        """`cross_attn` is None where it gives every token the same, which is then in the self-attention's bias."""
        super().__init__()
        self.self_attn = self_attn
        self.cross_attn = cross_attn
        self.ffn = ffn
        self.eps = eps

    def forward(self, x: Tensor, positions: TokenPositions) -> Tensor:
        x = self.self_attn(normalise(x, self.eps), positions).add_(x)
        if self.cross_attn is not None:
            x = self.cross_attn(normalise(x, self.eps)).add_(x)
        return self.ffn(normalise(x, self.eps), positions.layout.grid).add_(x)


class FoldedDiT(nn.Module):
    """v(z): the velocity of a latent at the timestep and prompt that were folded in; made by `fold`."""

    def __init__(self, dit: WanDiT, blocks: list[FoldedBlock], head: nn.Linear) -> None:
        """Take over all of `dit` that depends on neither timestep nor prompt."""
        super().__init__()
        self.config = dit.config
        self.patch_embedding, self.pyramid, self.places = dit.patch_embedding, dit.pyramid, dit.places
        self.blocks = nn.ModuleList(blocks)
        self.head = head
        self.roll = dit.roll
        self.experts = dit.experts
        self._positions = PositionCache(dit.config)

    def forward(self, z: Tensor, fuse: Fuse | None = None) -> Tensor:
        """Return the velocity of a latent (B, C, t, h, w), in its shape; `fuse` is called before each block.

        A DiT that sees the original takes (B, 2C, t, h, w).
        """
        x, grid, skips = self._embed(z)
        positions = self._positions(grid, x)

        def through(x: Tensor, first: int, end: int | None = None) -> Tensor:
            for index, block in islice(enumerate(self.blocks), first, end):
                if fuse is not None:
                    x = fuse(index, x)
                x = block(x, positions[index])
            return x

        def head(x: Tensor, first: int) -> Tensor:
            v = unpatch(self.head(normalise(through(x, first), self.config.eps)), grid, self.config.patch)
            return v if self.pyramid is None else self.pyramid.outward(v, skips)

        if self.roll is None:
            return head(x, 0)
        first = self.config.layers - self.roll.blocks
        return self.roll.velocity(z, through(x, 0, first), lambda z: self._embed(z)[0], partial(head, first=first))

    def _embed(self, z: Tensor) -> tuple[Tensor, VideoShape, list[Tensor]]:
        """The tokens (B, L, D) of a latent, their grid, and what the pyramid keeps for its way out."""
        z, skips = (z, []) if self.pyramid is None else self.pyramid.inward(z)
        x = self.patch_embedding(z)
        grid = VideoShape(*x.shape[2:])
        x = as_tokens(x)
        return x if self.places is None else self.places(x, grid), grid, skips

    @property
    def dtype(self) -> torch.dtype:
        """The dtype in which it computes."""
        return self.head.weight.dtype


def normalise(x: Tensor, eps: float) -> Tensor:
    """Return LayerNorm(x) without affine, which the kernel accumulates in float32."""
    return F.layer_norm(x, x.shape[-1:], eps=eps)


class BlocksInTurn(nn.ModuleList):
    """Blocks for `fold`, each made ready when it is taken out: `ready` gets index and block, and returns the block."""

    def __init__(self, blocks: Iterable[nn.Module], ready: Callable[[int, nn.Module], nn.Module]) -> None:
        super().__init__(blocks)
        self._ready, self._count = ready, len(self)

    def pop(self, key: int | slice) -> nn.Module:
        """Take out the first block; `key` has to be 0."""
        assert key == 0
        return self._ready(self._count - len(self), super().pop(0))


@torch.no_grad()
def fold(dit: WanDiT, timestep: float, prompt: Tensor, dtype: torch.dtype | None = None) -> FoldedDiT:
    """Fold t* of 1000 and the prompt (1, S, text_dim) into `dit`, whose weights it takes over, one block after another.

    `dit` is used up: it must not be called again. LoRAs must be merged before. Computed in float32 and rounded once, to
    `dtype` or else that of the model; loading the weights at a file's full precision and folding them to the one that
    runs rounds less than loading them rounded. Raises ValueError for a batch of prompts.
    """
    dtype = dtype or dit.patch_embedding.weight.dtype
    rows = PromptRows.of(prompt.to(dit.patch_embedding.weight.device))
    rows = replace(rows, rows=dit.text_embedding.float()(rows.rows))
    sinusoids = timestep_embedding(timestep, dit.config.freq_dim, rows.rows.device)
    embedding: Tensor = dit.time_embedding.float()(sinusoids)
    time = dit.time_projection.float()(embedding).unflatten(1, (6, -1))  # (1, 6, D)
    modulation = dit.head.modulations(embedding)
    head = cast(nn.Linear, fold_input(dit.head.head, 1 + modulation.scale, modulation.shift, dtype))
    del dit.text_embedding, dit.time_embedding, dit.time_projection, dit.head
    blocks = []
    while dit.blocks:
        blocks.append(fold_block(cast(Block, dit.blocks.pop(0)), time, rows, dtype))
    return FoldedDiT(dit, blocks, head).to(dtype).eval().requires_grad_(False)


@torch.no_grad()
def fold_block(block: Block, time: Tensor, rows: PromptRows, dtype: torch.dtype) -> FoldedBlock:
    """Fold one block, whose weights are taken over, for a projected time (1, 6, D) and the rows of a prompt."""
    attn, ffn = block.modulations(time, torch.float32)
    for projection in (block.self_attn.q, block.self_attn.k, block.self_attn.v):
        fold_input(projection, 1 + attn.scale, attn.shift, dtype)
    cross = fold_cross_attention(block.cross_attn, block.norm3, rows, dtype)
    constant = cross if isinstance(cross, Tensor) else None
    fold_output(block.self_attn.o, attn.gate, dtype, constant)
    fold_input(block.ffn[0], 1 + ffn.scale, ffn.shift, dtype)
    fold_output(block.ffn[2], ffn.gate, dtype)
    cross_attn = None if isinstance(cross, Tensor) else cross
    return FoldedBlock(block.self_attn.to(dtype), cross_attn, block.ffn.to(dtype), block.eps)
