"""The dual codebook prior: what a degraded video says of the clean one, in entries of two codebooks (DVFace, 3.2).

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
    """How much of each prior is used, from 0, not at all, to 1, as trained; ValueError for other numbers."""

    spatial: float = 1.0
    temporal: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.spatial <= 1 and 0 <= self.temporal <= 1):
            raise ValueError(f"strengths of the priors are {self.spatial} and {self.temporal}, needed from 0 to 1")


class Prior(NamedTuple):
    """f_s and f_t of a clip, and Pool(f_t), which stays that of the whole frame in its tiles."""

    spatial: Tensor  # (B, t, h, w, d)
    temporal: Tensor  # (B, t, h, w, d)
    pooled: Tensor  # (B, d)
    strength: PriorStrength = PriorStrength()

    @classmethod
    def of(cls, spatial: Tensor, temporal: Tensor) -> Prior:
        """Make a prior of both, with its pool: the mean over time and space, computed in float32."""
        pooled = reduce(temporal.float(), "b t h w d -> b d", "mean").to(temporal.dtype)
        return cls(spatial, temporal, pooled)

    def tile(self, rows: slice, columns: slice) -> Prior:
        """Return the prior of the tokens in a rectangle of the frame."""
        area = (slice(None), slice(None), rows, columns)
        return self._replace(spatial=self.spatial[area], temporal=self.temporal[area])


class Latents(NamedTuple):
    """The latents of a clip, (B, d, t, h, w) each."""

    encoded: Tensor  # z_l
    spatial: Tensor  # z_s, which is looked up in the spatial codebook
    temporal: Tensor  # z_t, which is looked up in the temporal codebook


class DualCodes(NamedTuple):
    """The nearest entries of both latents, as they are used for clean video."""

    spatial: Quantized
    temporal: Quantized


class DualCodebookPrior(nn.Module):
    """Reads f_s and f_t of degraded video: entries whose indices are predicted instead of searched for."""

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
        """Return the prior of video (B, 3, p n + 1, H, W) in [-1, 1]; ValueError for a size that does not fit."""
        latents = self.latents(video, check)
        check()
        spatial = self.spatial_codebook.lookup(self.spatial_predictor.indices(latents.spatial))
        check()
        temporal = self.temporal_codebook.lookup(self.temporal_predictor.indices(latents.temporal))
        return Prior.of(spatial, temporal)

    def latents(self, video: Tensor, check: CheckCancelled = never_cancelled) -> Latents:
        """Return z_l, z_s and z_t of a clip (eq. 4 and 5)."""
        z = self.encoder(video, check)
        return Latents(z, self.spatial_latents(z), self.temporal_latents(z))

    def quantize(self, latents: Latents) -> DualCodes:
        """Return the nearest entries of both latents, (B, t, h, w, d) (eq. 6, for clean video)."""
        spatial, temporal = (rearrange(z, "b d t h w -> b t h w d") for z in (latents.spatial, latents.temporal))
        return DualCodes(self.spatial_codebook(spatial), self.temporal_codebook(temporal))
