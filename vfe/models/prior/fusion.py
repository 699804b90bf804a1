"""The asymmetric spatio-temporal fusion of the prior into every DiT block (DVFace, section 3.3, eq. 7 and 8).

B batch, L = t*h*w tokens of width D, d width of the prior, N heads; f_s f_t (B, t, h, w, d).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from einops import rearrange
from torch import Tensor, nn

from ...types import VideoShape
from ..dit.model import DiTConfig, Fuse, attention_windows, zeroed
from ..dit.window_attention import AttentionWindows, attend
from ..ops import TORCH_OPS, Ops
from . import DualCodebookPrior, Prior, PriorConfig

SpatialFusion = Literal["guided", "own", "simple", "none"]
"""The queries of the spatial details: "guided" is f_t, as in DVFace; "own" is f_s itself, without a temporal prior;
"simple" is no attention but a projection of f_s (Table 4); "none" leaves them out."""

TemporalFusion = Literal["shared", "independent", "none"]
"""Whether all blocks share one pair (gamma, beta), as in DVFace, each has its own (Table 4), or none has one."""


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """The sizes of the fusion; the defaults go with Wan2.1-T2V-1.3B and are ours, the switches are DVFace's
    ablations."""

    dim: int = 1536
    """The width of the DiT's tokens."""
    layers: int = 30
    """The number of blocks of the DiT."""
    prior_dim: int = 256
    width: int = 256
    """The width of the attention."""
    heads: int = 4
    hidden: int = 1536
    """The width of the MLP that gives gamma and beta."""
    window: tuple[int, int] | None = None
    """The sides of the attention windows in tokens; None takes a whole latent frame. DVFace's paper does not say how
    far its attention reaches: that no frame sees another is ours."""
    spatial: SpatialFusion = "guided"
    temporal: TemporalFusion = "shared"

    def __post_init__(self) -> None:
        if self.spatial not in get_args(SpatialFusion) or self.temporal not in get_args(TemporalFusion):
            raise ValueError(
                f"fusion is spatial={self.spatial!r}, temporal={self.temporal!r}; needed one of "
                f"{get_args(SpatialFusion)} and of {get_args(TemporalFusion)}"
            )
        if min(self.dim, self.layers, self.prior_dim, self.width, self.heads, self.hidden) < 1:
            raise ValueError(f"every size of the fusion needs to be at least 1: {self}")
        if self.width % self.heads:
            raise ValueError(f"fusion width={self.width} is not divisible by heads={self.heads}")


def check_prior(prior: PriorConfig, fusion: FusionConfig, dit: DiTConfig, time: int, space: int) -> None:
    """Raise ValueError where prior, fusion and a DiT behind a codec of time x space x space do not fit together."""
    token = time * dit.patch[0], space * dit.token
    if (prior.time, prior.space) != token or dit.patch[1] != dit.patch[2]:
        raise ValueError(f"a prior's token is {prior.time} x {prior.space} pixels, the DiT's {token[0]} x {token[1]}")
    if (fusion.dim, fusion.layers, fusion.prior_dim) != (dit.dim, dit.layers, prior.dim):
        raise ValueError(
            f"fusion is of dim {fusion.dim}, {fusion.layers} layers and priors of {fusion.prior_dim}; the DiT has "
            f"{dit.dim} and {dit.layers}, the prior {prior.dim}"
        )


class SpatialDetail(nn.Module):
    """Proj(dx), dx = Attn(Q = W_q f_t, K = W_k f_s, V = W_v f_s) within each window: (B, g, m, d) -> (B, L, D).

    Proj starts at zero.
    """

    def __init__(self, config: FusionConfig, ops: Ops) -> None:
        super().__init__()
        self.heads = config.heads
        self.simple = config.spatial == "simple"
        if not self.simple:
            self.q, self.k = (ops.Linear(config.prior_dim, config.width) for _ in range(2))
        self.v = ops.Linear(config.prior_dim, config.width)
        self.proj = zeroed(ops.Linear(config.width, config.dim))

    def forward(self, query: Tensor, spatial: Tensor, layout: AttentionWindows) -> Tensor:
        return self.proj(layout.merge(self.attention(query, spatial, layout.mask)))

    def attention(self, query: Tensor, spatial: Tensor, mask: Tensor | None) -> Tensor:
        """Return dx, (B, g, m, width)."""
        v = self.v(spatial)
        if self.simple:
            return v
        split = "b g m (n c) -> b g n m c"
        q, k, v = (rearrange(x, split, n=self.heads) for x in (self.q(query), self.k(spatial), v))
        mask = None if mask is None else mask.to(q.device, q.dtype)
        return rearrange(attend(q, k, v, mask), "b g n m c -> b g m (n c)")


class AsymmetricFusion(nn.Module):
    """x' = (1 + gamma) x + beta + Proj(dx) before each block; untrained, x' = x to the last bit."""

    def __init__(self, config: FusionConfig, ops: Ops = TORCH_OPS) -> None:
        super().__init__()
        self.config = config
        pairs = {"shared": 1, "independent": config.layers, "none": 0}[config.temporal]
        details = 0 if config.spatial == "none" else config.layers
        self.details = nn.ModuleList(SpatialDetail(config, ops) for _ in range(details))
        self.modulation = (
            nn.Sequential(
                ops.Linear(config.prior_dim, config.hidden),
                nn.SiLU(),
                zeroed(ops.Linear(config.hidden, 2 * config.dim * pairs)),
            )
            if pairs
            else None
        )

    def forward(self, prior: Prior) -> Fuse:
        """Return the function that fuses the prior of a clip into the tokens (B, L, D) before each block."""
        strength = prior.strength
        grid = VideoShape(*prior.spatial.shape[1:4])
        layout = attention_windows(grid, (1, *(self.config.window or (0, 0))), False, prior.spatial.device)
        spatial, temporal = (
            layout.partition(rearrange(f, "b t h w d -> b (t h w) d")) for f in (prior.spatial, prior.temporal)
        )
        query = spatial if self.config.spatial == "own" else temporal
        scale, shift = self.scale_and_shift(prior.pooled, strength.temporal)

        def fuse(index: int, x: Tensor) -> Tensor:
            _check_tokens(x, grid)
            if self.modulation is not None:
                pair = index if self.config.temporal == "independent" else 0
                x = torch.addcmul(shift[pair], x, scale[pair])
            if self.details:
                x = torch.add(x, self.details[index](query, spatial, layout), alpha=strength.spatial)
            return x

        return fuse

    def scale_and_shift(self, pooled: Tensor, strength: float) -> tuple[Tensor, Tensor]:
        """Return 1 + gamma and beta = MLP(Pool(f_t)), (pairs, B, 1, D) each; no pair without a temporal prior."""
        if self.modulation is None:
            return pooled[:0], pooled[:0]
        pairs = rearrange(strength * self.modulation(pooled), "b (p two d) -> two p b 1 d", two=2, d=self.config.dim)
        return 1 + pairs[0], pairs[1]


def _check_tokens(x: Tensor, grid: VideoShape) -> None:
    tokens = grid.frames * grid.height * grid.width
    if x.shape[1] != tokens:
        raise ValueError(
            f"the DiT has {x.shape[1]} tokens, the prior {tokens} ({tuple(grid)}): they need to be on one grid"
        )


class PriorAdapter(nn.Module):
    """The modules that DVFace adds to a DiT: the prior and its fusion."""

    def __init__(self, prior: PriorConfig, fusion: FusionConfig, ops: Ops = TORCH_OPS) -> None:
        super().__init__()
        if prior.dim != fusion.prior_dim:
            raise ValueError(f"the prior is of dim {prior.dim}, its fusion needs {fusion.prior_dim}")
        self.prior = DualCodebookPrior(prior, ops)
        self.fusion = AsymmetricFusion(fusion, ops)
