"""The encoder of umT5 (arXiv 2304.09151): T5 v1.1 with a table of relative positions in every layer.

It runs on one prompt, in float32, with the weights of one layer at a time in memory: 0.8 GB for umT5-XXL.

N tokens, D width, H heads, C channels of a head, F width of the feed-forward network, R position buckets
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from ..types import Progress

NORM_EPS = 1e-6


@dataclass(frozen=True, kw_only=True)
class UMT5Config:
    """Sizes of an encoder. umT5-XXL: dim and inner 4096, heads 64, ffn 10240, layers 24, vocabulary 256384."""

    dim: int
    heads: int
    inner: int
    """The channels of all heads together."""
    ffn: int
    layers: int
    vocabulary: int
    buckets: int = 32
    max_distance: int = 128
    """Tokens that are further apart than this share a bucket of relative positions."""

    def __post_init__(self) -> None:
        for name in ("dim", "heads", "inner", "ffn", "layers", "vocabulary"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}, needed is at least 1")
        if self.inner % self.heads:
            raise ValueError(f"inner={self.inner} is not divisible by heads={self.heads}")
        if self.buckets < 4 or self.buckets % 4:
            raise ValueError(f"buckets={self.buckets}, needed is a positive multiple of 4")


class LayerWeights(NamedTuple):
    """The weights of one layer in float32; matrices are (out, in)."""

    norm_attention: Tensor  # (D)
    q: Tensor  # (H*C, D)
    k: Tensor  # (H*C, D)
    v: Tensor  # (H*C, D)
    o: Tensor  # (D, H*C)
    positions: Tensor  # (R, H)
    norm_ffn: Tensor  # (D)
    gate: Tensor  # (F, D)
    up: Tensor  # (F, D)
    down: Tensor  # (D, F)


class UMT5Weights(Protocol):
    """Gives the weights piece by piece, in float32."""

    @property
    def config(self) -> UMT5Config:
        """The sizes of the encoder."""
        ...

    def embedding(self, ids: list[int]) -> Tensor:
        """Return rows of the token table, (N, D)."""
        ...

    def layer(self, index: int) -> LayerWeights:
        """Return the weights of one layer."""
        ...

    def final_norm(self) -> Tensor:
        """Return the weight of the norm behind the last layer, (D)."""
        ...


@torch.no_grad()
def encode(ids: list[int], weights: UMT5Weights, on_progress: Progress | None = None) -> Tensor:
    """Return the last hidden state of the tokens, (N, D) float32, without padding.

    Wan pads to 512 tokens and masks the padding, which changes no row of a token: a masked key has weight 0, and the
    rows of the padding itself are set to 0 afterwards. `on_progress` gets layers done and their total.
    """
    config = weights.config
    buckets = position_buckets(len(ids), config)  # (N, N)
    x = weights.embedding(ids)  # (N, D)
    for index in range(config.layers):
        x = _encoder_layer(x, weights.layer(index), buckets)  # no name for the weights: they go before the next come
        if on_progress:
            on_progress(index + 1, config.layers)
    return _rms_norm(x, weights.final_norm())


def _encoder_layer(x: Tensor, layer: LayerWeights, buckets: Tensor) -> Tensor:
    bias = rearrange(layer.positions[buckets], "n m h -> h n m")
    x = x + _attention(_rms_norm(x, layer.norm_attention), layer, bias)
    return x + _feed_forward(_rms_norm(x, layer.norm_ffn), layer)


def position_buckets(tokens: int, config: UMT5Config) -> Tensor:
    """Return the bucket of the way from each query token to each key token, (N, N) int64.

    One half of the buckets is for keys to the left or equal, the other for those to the right; within a half, the
    first are for single distances, the rest grow logarithmically up to `max_distance` (T5, arXiv 1910.10683).
    """
    half, exact = config.buckets // 2, config.buckets // 4
    position = torch.arange(tokens)
    way = position[None, :] - position[:, None]  # (N, N), key minus query
    distance = way.abs()
    growth = torch.log(distance.float() / exact) / math.log(config.max_distance / exact) * (half - exact)
    far = (exact + growth.clamp(min=0).long()).clamp(max=half - 1)
    return torch.where(distance < exact, distance, far) + half * (way > 0)


def _attention(x: Tensor, layer: LayerWeights, bias: Tensor) -> Tensor:
    """Self-attention over (N, D) with an additive (H, N, N) bias. T5 does not divide by the root of C."""
    heads = bias.shape[0]
    q, k, v = (rearrange(F.linear(x, w), "n (h c) -> h n c", h=heads) for w in (layer.q, layer.k, layer.v))
    attended = torch.softmax(q @ k.transpose(-1, -2) + bias, dim=-1) @ v  # (H, N, C)
    return F.linear(rearrange(attended, "h n c -> n (h c)"), layer.o)


def _feed_forward(x: Tensor, layer: LayerWeights) -> Tensor:
    return F.linear(F.gelu(F.linear(x, layer.gate), approximate="tanh") * F.linear(x, layer.up), layer.down)


def _rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + NORM_EPS)
