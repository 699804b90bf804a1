"""What a degraded video says of the clean one, in entries of two codebooks (DVFace, section 3.2).

B batch, T H W pixel frames, t h w token grid, d width, K entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from einops import rearrange, reduce
from torch import Tensor, nn

from ...types import CheckCancelled, never_cancelled
from ..ops import TORCH_OPS, Ops
from .codebook import Codebook, Quantized
from .config import PriorConfig
from .encoder import PriorEncoder
from .latents import SpatialLatents, TemporalLatents
from .predictor import CodePredictor


@dataclass(frozen=True)
class PriorStrength:
    """How much of each prior is used: 1 as trained, 0 not at all."""

    spatial: float = 1.0
    temporal: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.spatial <= 1 and 0 <= self.temporal <= 1):
            raise ValueError(f"strengths of the priors are {self.spatial} and {self.temporal}, needed from 0 to 1")


class Prior(NamedTuple):
    """f_s and f_t of a clip, and Pool(f_t), which stays that of the whole where a part is cut out."""

    spatial: Tensor  # (B, t, h, w, d)
    temporal: Tensor  # (B, t, h, w, d)
    pooled: Tensor  # (B, d)
    strength: PriorStrength = PriorStrength()

    @classmethod
    def of(cls, spatial: Tensor, temporal: Tensor) -> Prior:
        """With its pool: the mean over time and space, in float32."""
        pooled = reduce(temporal.float(), "b t h w d -> b d", "mean").to(temporal.dtype)
        return cls(spatial, temporal, pooled)

    def tile(self, rows: slice, columns: slice) -> Prior:
        """The tokens of a part of the frame."""
        place = (slice(None), slice(None), rows, columns)
        return self._replace(spatial=self.spatial[place], temporal=self.temporal[place])


class Latents(NamedTuple):
    """z_l of a clip and what both codebooks are asked with, (B, d, t, h, w) each."""

    encoded: Tensor
    spatial: Tensor
    temporal: Tensor


class DualCodes(NamedTuple):
    """Both latents by their nearest entries; for clean video."""

    spatial: Quantized
    temporal: Quantized


class DualCodebookPrior(nn.Module):
    """(f_s, f_t) of a degraded video: entries whose indices are predicted, not searched for."""

    def __init__(self, config: PriorConfig, ops: Ops = TORCH_OPS) -> None:
        super().__init__()
        self.config = config
        self.encoder = PriorEncoder(config, ops)
        self.temporal_latents = TemporalLatents(config.dim, config.heads, ops)
        self.spatial_latents = SpatialLatents(config.dim, ops)
        self.spatial_codebook = Codebook(config.entries, config.dim)
        self.temporal_codebook = Codebook(config.entries, config.dim)
        self.spatial_predictor = CodePredictor(config, ops)
        self.temporal_predictor = CodePredictor(config, ops)

    def forward(self, video: Tensor, check: CheckCancelled = never_cancelled) -> Prior:
        """(B, 3, p n + 1, H, W) in [-1, 1] -> the prior. Raises ValueError for a size that does not fit."""
        latents = self.latents(video, check)
        check()
        spatial = self.spatial_codebook.lookup(self.spatial_predictor.indices(latents.spatial))
        check()
        temporal = self.temporal_codebook.lookup(self.temporal_predictor.indices(latents.temporal))
        return Prior.of(spatial, temporal)

    def latents(self, video: Tensor, check: CheckCancelled = never_cancelled) -> Latents:
        """z_l, z_s and z_t of a clip (eq. 4 and 5)."""
        z = self.encoder(video, check)
        return Latents(z, self.spatial_latents(z), self.temporal_latents(z))

    def quantize(self, latents: Latents) -> DualCodes:
        """Nearest entries of both latents, (B, t, h, w, d) (eq. 6 on clean video)."""
        spatial, temporal = (rearrange(z, "b d t h w -> b t h w d") for z in (latents.spatial, latents.temporal))
        return DualCodes(self.spatial_codebook(spatial), self.temporal_codebook(temporal))
