"""Wan2.1's diffusion transformer, from the 1.3B restorer down to lite, with the official parameter names.

B batch, C latent channels, t h w latent grid, L = t*h*w tokens of the patched grid, D width, N heads, S rows
of the prompt embedding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ...types import VFEError, VideoShape
from ..ops import TORCH_OPS, Ops
from ..parameter import normal_parameter
from .attention_backends import AttentionBackend
from .gelu import Gelu
from .pyramid import Pyramid, PyramidScale, pyramid_space
from .rope import Rotation, rope_angles
from .window_attention import AttentionWindows, attend

Timestep = float | Tensor
"""A timestep of 1000 for all clips of a batch, or one for each, (B,)."""

Fuse = Callable[[int, Tensor], Tensor]
"""Called before each block with its index and the tokens (B, L, D); returns the tokens with the prior in them."""


@dataclass(frozen=True, kw_only=True)
class DiTConfig:
    """Size of the transformer; the defaults are Wan2.1-T2V-1.3B."""

    in_channels: int = 16
    dim: int = 1536
    heads: int = 12
    layers: int = 30
    ffn_dim: int = 8960
    freq_dim: int = 256
    text_dim: int = 4096
    patch: tuple[int, int, int] = (1, 2, 2)
    eps: float = 1e-6
    window: tuple[int, int, int] | None = None
    """The attention window in tokens (time, height, width), shifted by half in every second block. 0 takes all of an
    axis, None all of every axis."""
    local_kernel: int | None = None
    """The side of a depthwise convolution in the feed-forward, beside one over 3 frames; Wan has None."""
    pyramid: tuple[PyramidScale, ...] = ()
    """The scales of convolutions before the patch embedding and after the head, the finest first; none in Wan."""
    sees_original: bool = False
    """Whether it takes a second latent beside the first, in as many channels after it, as Wan2.1's image-to-video model
    takes one to be guided by. It is of the clip as it was before another model restored it. Only with a pyramid."""
    places: tuple[int, int] | None = None
    """The rows and columns of tokens, each of which has a learned embedding. They are for pictures of one size where a
    position means something, such as aligned faces; None, as in Wan, takes any size."""

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ValueError(f"dim={self.dim} is not divisible by heads={self.heads}")
        if self.dim // self.heads < 6 or self.dim // self.heads % 2:
            raise ValueError(f"head width is {self.dim // self.heads}, 3-D RoPE needs an even one of 6 or more")
        if self.local_kernel is not None and self.local_kernel % 2 == 0:
            raise ValueError(f"local_kernel={self.local_kernel}, needed an odd side")
        sizes = [self.in_channels, self.layers, self.ffn_dim, self.freq_dim, self.text_dim, *self.patch]
        sizes += self.places or ()
        if min(sizes) < 1 or min(self.window or (0,)) < 0:
            raise ValueError(f"every size needs to be at least 1, a window's at least 0: {self}")
        if self.sees_original and not self.pyramid:
            raise ValueError("sees_original needs a pyramid, whose first convolution takes both latents; give scales")

    @property
    def head_dim(self) -> int:
        """Channels of a head."""
        return self.dim // self.heads

    @property
    def token(self) -> int:
        """Latent pixels along a token, by its longer side."""
        return pyramid_space(self.pyramid) * max(self.patch[1:])

    @property
    def embedded_channels(self) -> int:
        """Channels that the patch embedding takes and the head gives."""
        return self.pyramid[-1].width if self.pyramid else self.in_channels


@dataclass(frozen=True)
class Modulation:
    """The AdaLN of one branch: shift, scale and gate, (1, 1, D) each, or (B, 1, D) where clips differ in timestep."""

    shift: Tensor
    scale: Tensor
    gate: Tensor


@dataclass(frozen=True)
class TokenPositions:
    """Where tokens are in blocks whose windows are shifted, or in the others; made once for all of these blocks."""

    layout: AttentionWindows
    rotate: Rotation
    """The rotary embedding of the tokens in their windows."""
    mask: Tensor | None
    """What is added to the attention scores; None where nothing is masked."""


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
        t, h, _ = shape
        near = self.space(rearrange(x, "b (t h w) d -> (b t) d h w", t=t, h=h))
        x = rearrange(near, "(b t) d h w -> b (t h w) d", t=t).add_(x)
        if t == 1 and x.requires_grad:  # the frame itself alone is left; an eighth of the time of the convolution's way
            return torch.addcmul(self.time.bias.to(x.dtype), x, 1 + self.time.weight[:, 0, 1, 0].to(x.dtype))
        near = self.time(rearrange(x, "b (t l) d -> b d t l", t=t))
        return rearrange(near, "b d t l -> b (t l) d").add_(x)


class FeedForward(nn.Sequential):
    """Two linear layers (parameters 0 and 2, as in Wan), with optional local mixing between them."""

    def __init__(self, config: DiTConfig, ops: Ops) -> None:
        widen, narrow = ops.Linear(config.dim, config.ffn_dim), ops.Linear(config.ffn_dim, config.dim)
        super().__init__(widen, Gelu(), narrow)
        self.local = LocalMixing(config.ffn_dim, config.local_kernel, ops) if config.local_kernel else None

    def forward(self, x: Tensor, shape: VideoShape) -> Tensor:  # type: ignore[override]
        widen, act, narrow = self[0], self[1], self[2]
        x = widen(x)
        if self.local is not None:
            x = self.local(x, shape)
        return narrow(act(x))


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


def timestep_embedding(timestep: Timestep, dim: int, device: torch.device) -> Tensor:
    """Return the sinusoids of timesteps, cosines first: (1 or B, dim), float32 computed in float64."""
    half = dim // 2
    frequency = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float64) / half)
    angle = torch.as_tensor(timestep, dtype=torch.float64).cpu().reshape(-1, 1) * frequency
    return torch.cat([angle.cos(), angle.sin()], 1).float().to(device)


@lru_cache(maxsize=16)
def attention_windows(grid: VideoShape, window: tuple[int, int, int] | None, shifted: bool) -> AttentionWindows:
    """Return the windows of a grid, which are kept for the clips of the same size that follow."""
    sides = (side or whole for side, whole in zip(window or (0, 0, 0), grid, strict=True))
    return AttentionWindows(grid, VideoShape(*sides), shifted)


def token_positions(config: DiTConfig, grid: VideoShape, x: Tensor) -> tuple[TokenPositions, TokenPositions]:
    """Return where the tokens of a grid are for blocks whose windows are not shifted, and for those whose are.

    Device and dtype are those of x.
    """

    def positions(shifted: bool) -> TokenPositions:
        layout = attention_windows(grid, config.window, shifted)
        angles = layout.partition(rope_angles(grid, config.head_dim, x.device)[None])[0]
        mask = layout.mask
        return TokenPositions(layout, Rotation(angles, x.dtype), None if mask is None else mask.to(x.device, x.dtype))

    still = positions(False)
    return still, still if still.layout.trivial else positions(True)


class PositionCache:
    """Keeps the result of `token_positions` for the next window, which is mostly of the same size."""

    def __init__(self, config: DiTConfig) -> None:
        self.config = config
        self._kept: tuple[object, tuple[TokenPositions, TokenPositions]] | None = None

    def __call__(self, grid: VideoShape, x: Tensor) -> tuple[TokenPositions, TokenPositions]:
        key = (grid, x.device, x.dtype, torch.is_inference_mode_enabled())  # of no use outside of that mode
        if self._kept is None or self._kept[0] != key:
            self._kept = key, token_positions(self.config, grid, x)
        return self._kept[1]


class LearnedPositions(nn.Module):
    """x + an embedding of the row and column, for grids of one h and w: tokens (B, L, D); VFEError for others."""

    def __init__(self, places: tuple[int, int], dim: int) -> None:
        super().__init__()
        self.places = places
        self.embedding = normal_parameter(places[0] * places[1], dim, std=dim**-0.5)

    def forward(self, x: Tensor, grid: VideoShape) -> Tensor:
        if (grid.height, grid.width) != self.places:
            raise VFEError(
                f"frames have {grid.height} x {grid.width} tokens, this model needs {self.places[0]} x "
                f"{self.places[1]}: it restores aligned faces of one size; take another model for whole frames"
            )
        return x + self.embedding.to(x.dtype).repeat(grid.frames, 1)


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

    def forward(self, z: Tensor, timestep: Timestep, prompt: Tensor, fuse: Fuse | None = None) -> Tensor:
        """Return the velocity (B, C, t, h, w) of a latent of that shape, for timesteps of 1000 and a prompt embedding.

        `prompt` is (B or 1, S, text_dim). A DiT that sees the original takes z (B, 2C, t, h, w), with that after z_lq.
        """
        z, skips = (z, []) if self.pyramid is None else self.pyramid.inward(z)
        x = self.patch_embedding(z)
        grid = VideoShape(*x.shape[2:])
        positions = token_positions(self.config, grid, x)
        x = rearrange(x, "b d t h w -> b (t h w) d")
        x = x if self.places is None else self.places(x, grid)
        embedding = self._time(timestep, x)
        time = self.time_projection(embedding).float().unflatten(1, (6, -1))  # (1 or B, 6, D)
        prompt = self.text_embedding(prompt.to(x.dtype))
        for index, block in enumerate(self.blocks):
            if fuse is not None:
                x = fuse(index, x)
            x = block(x, time, prompt, positions[index % 2])
        v = unpatch(self.head(x, embedding.float()), grid, self.config.patch)
        return v if self.pyramid is None else self.pyramid.outward(v, skips)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype in which it computes."""
        weight: Tensor = self.head.head.weight
        return weight.dtype

    def _time(self, timestep: Timestep, x: Tensor) -> Tensor:
        return self.time_embedding(timestep_embedding(timestep, self.config.freq_dim, x.device).to(x.dtype))


def count_parameters(modules: Sequence[nn.Module]) -> int:
    """Return the number of parameters of several modules."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())
