"""The model that the package ships: codec, learned prompt embedding, DiT and the prior fused into it, one step.

B batch, T H W pixel frames; z latent (B, C, t, h, w).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..types import CheckCancelled
from .dit.experts import ExpertChoice
from .dit.folded import FoldedDiT, fold
from .dit.model import DiTConfig, WanDiT
from .flat_areas import without_grid_
from .flow import OneStepFlow
from .lapped_codec import CodecConfig, LappedCodec
from .ops import TORCH_OPS, Ops
from .parameter import normal_parameter
from .prior import DualCodebookPrior, Prior, PriorConfig
from .prior.fusion import AsymmetricFusion, FusionConfig, check_prior


@dataclass(frozen=True, kw_only=True)
class LiteConfig:
    """The sizes of a lite model, which the metadata of its file holds."""

    dit: DiTConfig
    codec: CodecConfig = field(default_factory=CodecConfig)
    flow: OneStepFlow = field(default_factory=OneStepFlow)
    context_rows: int = 4
    """Rows of the learned prompt embedding."""
    prior: PriorConfig | None = None
    """The size of the dual codebook prior; None without one."""
    fusion: FusionConfig | None = None
    """The size of the prior's fusion into the DiT; None without a prior."""

    def __post_init__(self) -> None:
        if self.dit.in_channels != self.codec.channels:
            raise ValueError(f"dit.in_channels={self.dit.in_channels}, the codec gives {self.codec.channels} channels")
        if self.context_rows < 1:
            raise ValueError(f"context_rows={self.context_rows}, needed at least 1")
        if (self.prior is None) != (self.fusion is None):
            raise ValueError("a prior needs a fusion and a fusion a prior; give both or none")
        if self.prior is not None and self.fusion is not None:
            check_prior(self.prior, self.fusion, self.dit, self.codec.time, self.codec.space)

    @property
    def depths(self) -> tuple[int, ...]:
        """Numbers of layers of the parts; a file has more tensors than each of them."""
        prior = () if self.prior is None else self.prior.depths
        return (self.dit.layers, *(scale.blocks for scale in self.dit.pyramid), *prior)


class LiteModel(nn.Module):
    """z_hq = z_lq - s v(z_lq, t*, c, f_s, f_t), where the prompt embedding c is learned."""

    def __init__(self, config: LiteConfig, ops: Ops = TORCH_OPS) -> None:
        super().__init__()
        self.config = config
        self.codec = LappedCodec(config.codec)
        self.dit: WanDiT | FoldedDiT = WanDiT(config.dit, ops)
        # The learned prompt embedding; the name is that of the tensor in the files.
        self.context = normal_parameter(1, config.context_rows, config.dit.text_dim)
        self.prior = None if config.prior is None else DualCodebookPrior(config.prior, ops)
        self.fusion = None if config.fusion is None else AsymmetricFusion(config.fusion, ops)

    @property
    def flow(self) -> OneStepFlow:
        """The step that the model was trained for."""
        return self.config.flow

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.context.device

    @property
    def side_multiple(self) -> int:
        """The number of pixels along a token, to whose multiples clips are padded."""
        return self.config.codec.space * self.config.dit.token

    @property
    def sees_original(self) -> bool:
        """Whether it takes the latent of the clip as it was, before another model restored it, after z_lq."""
        return self.config.dit.sees_original

    @property
    def experts(self) -> ExpertChoice | None:
        """What chooses between the experts of its DiT; None where it has none."""
        return self.dit.experts

    def forward(self, z_lq: Tensor, prior: Prior | None = None) -> Tensor:
        """Return the velocity (B, C, t, h, w) of a degraded latent, after which the original may come: (B, 2C, ...)."""
        fuse = None if self.fusion is None or prior is None else self.fusion(prior)
        if isinstance(self.dit, FoldedDiT):
            return self.dit(z_lq, fuse)
        return self.dit(z_lq, self.config.flow.timestep, self.context, fuse)

    def fold(self, dtype: torch.dtype) -> LiteModel:
        """Put t* and the prompt into the weights and cast them: faster, equal but for rounding, and not to be trained.

        The codec stays in float32.
        """
        assert isinstance(self.dit, WanDiT)
        self.dit = fold(self.dit, self.config.flow.timestep, self.context, dtype)
        for part in (self.prior, self.fusion):
            if part is not None:
                part.to(dtype)
        return self

    def read_prior(self, video: Tensor, check: CheckCancelled) -> Prior | None:
        """Return f_s and f_t of degraded video (B, 3, 4n+1, H, W) in [-1, 1], or None without a prior."""
        return None if self.prior is None else self.prior(video, check)

    def velocity(self, z_lq: Tensor, check: CheckCancelled, prior: Prior | None = None) -> Tensor:
        """Return what `forward` does in the DiT's dtype, `without_grid_`; `check` is called before."""
        check()
        return self.without_grid_(self(z_lq.to(self.dit.dtype), prior), z_lq)

    def without_grid_(self, velocity: Tensor, z_lq: Tensor) -> Tensor:
        """Take the grid of tokens from what `forward` gives for frames, in its own memory, and return it.

        Aligned faces, which come with the original, keep small changes where they are flat: the texture of skin.
        """
        return velocity if self.sees_original else without_grid_(velocity, z_lq, self.codec, self.flow.step)
