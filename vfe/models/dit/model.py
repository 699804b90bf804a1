"""Wan2.1's diffusion transformer, from the 1.3B restorer down to lite, with the official parameter names.

B batch, C latent channels, t h w latent grid, L = t*h*w tokens of the patched grid, D width, N heads, S rows
of the prompt embedding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ...types import VideoShape
from ..ops import TORCH_OPS, Ops
from .attention_backends import AttentionBackend
from .config import DiTConfig as DiTConfig
from .experts import ExpertChoice
from .gelu import Gelu
from .head_steps import HeadRoll
from .positions import LearnedPositions as LearnedPositions
from .positions import PositionCache as PositionCache
from .positions import TokenPositions as TokenPositions
from .positions import attention_windows as attention_windows
from .positions import token_positions as token_positions
from .pyramid import Pyramid
from .timestep import Timestep as Timestep
from .timestep import timestep_embedding as timestep_embedding
from .window_attention import attend

Fuse = Callable[[int, Tensor], Tensor]
"""Called before each block with its index and the tokens (B, L, D); returns the tokens with the prior in them."""


@dataclass(frozen=True)
class Modulation:
    """The AdaLN of one branch: shift, scale and gate, (1, 1, D) each, or (B, 1, D) where clips differ in timestep."""

    shift: Tensor
    scale: Tensor
    gate: Tensor


def modulate(x: Tensor, mod: Modulation, eps: float) -> Tensor:
    """Return LayerNorm(x) (1 + scale) + shift. As t* is one for all clips, this is a LayerNorm with an affine of t*.

    The kernel accumulates in float32, also for half precision x.
    """
    scale, shift = (1 + mod.scale.float()).to(x.dtype), mod.shift.to(x.dtype)
    if len(scale) > 1:
        return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=eps), scale)
    return F.layer_norm(x, x.shape[-1:], scale.flatten(), shift.flatten(), eps)


def zeroed(linear: nn.Linear) -> nn.Linear:
    """Set a linear layer to zero, so that its branch adds nothing at first, and return it."""
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


class SelfAttention(nn.Module):
    """Multi-head attention over the tokens of a window or clip, with q/k RMS norm over all heads and 3-D RoPE."""

    def __init__(self, config: DiTConfig, ops: Ops, attention: AttentionBackend) -> None:
        super().__init__()
        self.heads = config.heads
        self.attention = attention
        self.q, self.k, self.v, self.o = (ops.Linear(config.dim, config.dim) for _ in range(4))
        self.norm_q, self.norm_k = (ops.RMSNorm(config.dim, eps=config.eps) for _ in range(2))

    def forward(self, x: Tensor, positions: TokenPositions) -> Tensor:
        x = positions.layout.partition(x)
        split = "b g m (n d) -> b g m n d"
        q = positions.rotate(rearrange(self.norm_q(self.q(x)), split, n=self.heads))
        k = positions.rotate(rearrange(self.norm_k(self.k(x)), split, n=self.heads))
        v = rearrange(self.v(x), split, n=self.heads)
        x = self.attention(q.transpose(2, 3), k.transpose(2, 3), v.transpose(2, 3), positions.mask)
        return positions.layout.merge(self.o(rearrange(x, "b g n m d -> b g m (n d)")))


class CrossAttention(nn.Module):
    """Attention of the tokens to the fixed prompt embedding (B or 1, S, D)."""

    def __init__(self, config: DiTConfig, ops: Ops) -> None:
        super().__init__()
        self.heads = config.heads
        self.q, self.k, self.v, self.o = (ops.Linear(config.dim, config.dim) for _ in range(4))
        self.norm_q, self.norm_k = (ops.RMSNorm(config.dim, eps=config.eps) for _ in range(2))

    def forward(self, x: Tensor, prompt: Tensor) -> Tensor:
        split = "b l (n d) -> b n l d"
        q = rearrange(self.norm_q(self.q(x)), split, n=self.heads)
        k = rearrange(self.norm_k(self.k(prompt)), split, n=self.heads)
        v = rearrange(self.v(prompt), split, n=self.heads)
        return self.o(rearrange(attend(q, k, v, None), "b n l d -> b l (n d)"))


class LocalMixing(nn.Module):
    """Residual depthwise convolutions over each frame, then over time.

    Both are 2-D convolutions of channels-last tensors: on a CPU a depthwise 3-D one trains 20 times slower. Nothing of
    the frames beside is mixed in at first, so that a model which has seen single frames only is not led astray by them.
    """

    def __init__(self, dim: int, kernel: int, ops: Ops) -> None:
        super().__init__()
        self.space = ops.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.time = ops.Conv2d(dim, dim, (3, 1), padding=(1, 0), groups=dim)
        nn.init.zeros_(self.time.weight[:, :, ::2])

    def forward(self, x: Tensor, shape: VideoShape) -> Tensor:
        return self.over_time(self.over_space(x, shape), shape)

    def over_space(self, x: Tensor, shape: VideoShape) -> Tensor:
        """Add what is near each token (B, L, D) in its frame."""
        t, h, _ = shape
        near = self.space(_channels_last(rearrange(x, "b (t h w) d -> (b t) h w d", t=t, h=h)))
        return rearrange(near, "(b t) d h w -> b (t h w) d", t=t).add_(x)

    def over_time(self, x: Tensor, shape: VideoShape) -> Tensor:
        """Add what is at the place of each token (B, L, D) in the frames beside its own."""
        t = shape.frames
        if t == 1 and x.requires_grad:  # the frame itself alone is left; an eighth of the time of the convolution's way
            return torch.addcmul(self.time.bias.to(x.dtype), x, 1 + self.time.weight[:, 0, 1, 0].to(x.dtype))
        near = self.time(_channels_last(rearrange(x, "b (t l) d -> b t l d", t=t)))
        return rearrange(near, "b d t l -> b (t l) d").add_(x)


def _channels_last(x: Tensor) -> Tensor:
    """Move channels from the end to where convolutions look for them, as a view whose layout torch knows.

    Where einops moves them, the stride of a batch of one says otherwise, and the convolution takes 14 times as long.
    """
    return x.movedim(-1, 1)


class FeedForward(nn.Sequential):
    """Two linear layers (parameters 0 and 2, as in Wan), with optional local mixing between them."""

    def __init__(self, config: DiTConfig, ops: Ops) -> None:
        widen, narrow = ops.Linear(config.dim, config.ffn_dim), ops.Linear(config.ffn_dim, config.dim)
        super().__init__(widen, Gelu(), narrow)
        self.local = LocalMixing(config.ffn_dim, config.local_kernel, ops) if config.local_kernel else None

    def forward(self, x: Tensor, shape: VideoShape) -> Tensor:  # type: ignore[override]
        widen, act, narrow = self[0], cast(Gelu, self[1]), self[2]
        x = widen(x)
        if self.local is not None:  # by its two parts: as a module it would hold on to x, the largest tensor of all
            x = self.local.over_space(x, shape)
            x = self.local.over_time(x, shape)
        x = act(x) if x.requires_grad else act.in_place(x)
        return narrow(x)


class Block(nn.Module):
    """Self-attention, cross-attention to the prompt and feed-forward, the first and last modulated by the timestep."""

    def __init__(self, config: DiTConfig, ops: Ops, attention: AttentionBackend) -> None:
        super().__init__()
        self.eps = config.eps
        self.self_attn = SelfAttention(config, ops, attention)
        self.norm3 = ops.LayerNorm(config.dim, eps=config.eps)
        self.cross_attn = CrossAttention(config, ops)
        self.ffn = FeedForward(config, ops)
        self.modulation = nn.Parameter(torch.zeros(1, 6, config.dim))
        self.modulation.data[:, [2, 5]] = 1.0  # open gates: every block learns at once

    def forward(self, x: Tensor, time: Tensor, prompt: Tensor, positions: TokenPositions) -> Tensor:
        attn, ffn = self.modulations(time, x.dtype)
        x = torch.addcmul(x, attn.gate, self.self_attn(modulate(x, attn, self.eps), positions))
        x = x + self.cross_attn(self.norm3(x), prompt)
        return torch.addcmul(x, ffn.gate, self.ffn(modulate(x, ffn, self.eps), positions.layout.grid))

    def modulations(self, time: Tensor, dtype: torch.dtype) -> tuple[Modulation, Modulation]:
        """Return the modulations of self-attention and feed-forward for `time` (1 or B, 6, D), summed in float32."""
        parts = (self.modulation.float() + time).to(dtype).chunk(6, dim=1)
        return Modulation(*parts[:3]), Modulation(*parts[3:])


class Head(nn.Module):
    """Turns tokens into velocity; zero at first, so that an untrained model returns its input."""

    def __init__(self, config: DiTConfig, ops: Ops) -> None:
        super().__init__()
        self.eps = config.eps
        self.head = zeroed(ops.Linear(config.dim, config.embedded_channels * math.prod(config.patch)))
        self.modulation = nn.Parameter(torch.zeros(1, 2, config.dim))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        return self.head(modulate(x, self.modulations(time), self.eps))

    def modulations(self, time: Tensor) -> Modulation:
        """Return shift and scale in float32 for `time` (1 or B, D); the gate is 1."""
        shift, scale = (self.modulation.float() + time.unsqueeze(1)).chunk(2, dim=1)
        return Modulation(shift, scale, torch.ones_like(scale))


def unpatch(x: Tensor, grid: VideoShape, patch: tuple[int, int, int]) -> Tensor:
    """Arrange tokens (B, L, p*q*r*C) as (B, C, t*p, h*q, w*r)."""
    (t, h, w), (p, q, r) = grid, patch
    return rearrange(x, "b (t h w) (p q r c) -> b c (t p) (h q) (w r)", t=t, h=h, w=w, p=p, q=q, r=r)


class WanDiT(nn.Module):
    """v(z, t, c): the velocity of a latent, at a timestep t of 1000, given the prompt embedding c.

    `ops` names the layer classes: torch's, or a host's that offload or cast; `attention` the kernel of self-attention.
    """

    def __init__(self, config: DiTConfig, ops: Ops = TORCH_OPS, attention: AttentionBackend = attend) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.patch_embedding = ops.Conv3d(config.embedded_channels, dim, config.patch, stride=config.patch)
        self.text_embedding = nn.Sequential(
            ops.Linear(config.text_dim, dim), nn.GELU(approximate="tanh"), ops.Linear(dim, dim)
        )
        self.time_embedding = nn.Sequential(ops.Linear(config.freq_dim, dim), nn.SiLU(), ops.Linear(dim, dim))
        self.time_projection = nn.Sequential(nn.SiLU(), zeroed(ops.Linear(dim, 6 * dim)))
        self.blocks = nn.ModuleList(Block(config, ops, attention) for _ in range(config.layers))
        self.head = Head(config, ops)
        latents = 2 if config.sees_original else 1
        self.pyramid = Pyramid(config.in_channels, config.pyramid, ops, latents) if config.pyramid else None
        self.places = LearnedPositions(config.places, dim) if config.places else None
        self.roll: HeadRoll | None = None
        self.experts: ExpertChoice | None = None

    def forward(self, z: Tensor, timestep: Timestep, prompt: Tensor, fuse: Fuse | None = None) -> Tensor:
        """Return the velocity (B, C, t, h, w) of a latent of that shape, for timesteps of 1000 and a prompt embedding.

        `prompt` is (B or 1, S, text_dim). A DiT that sees the original takes z (B, 2C, t, h, w), with that after z_lq.
        """
        x, grid, skips = self._embed(z)
        positions = token_positions(self.config, grid, x)
        embedding = self._time(timestep, x)
        time = self.time_projection(embedding).float().unflatten(1, (6, -1))  # (1 or B, 6, D)
        prompt = self.text_embedding(prompt.to(x.dtype))

        def through(x: Tensor, first: int, end: int | None = None) -> Tensor:
            for index, block in islice(enumerate(self.blocks), first, end):
                if fuse is not None:
                    x = fuse(index, x)
                x = block(x, time, prompt, positions[index])
            return x

        def head(x: Tensor, first: int) -> Tensor:
            v = unpatch(self.head(through(x, first), embedding.float()), grid, self.config.patch)
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
        weight: Tensor = self.head.head.weight
        return weight.dtype

    def _time(self, timestep: Timestep, x: Tensor) -> Tensor:
        return self.time_embedding(timestep_embedding(timestep, self.config.freq_dim, x.device).to(x.dtype))


def as_tokens(x: Tensor) -> Tensor:
    """Return a patched latent (B, D, t, h, w) as tokens (B, L, D), whose channels lie side by side in memory.

    Blocks add to what they are given and keep its layout: with channels far apart they take a third longer on a CPU.
    """
    return rearrange(x, "b d t h w -> b (t h w) d").contiguous()


def count_parameters(modules: Sequence[nn.Module]) -> int:
    """Return the number of parameters of several modules."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())
