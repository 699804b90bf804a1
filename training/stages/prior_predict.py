"""Codes from degraded video: encoder and predictors learn to name the entries of the clean clip (DVFace, 3.4, eq. 11).

B batch, t h w token grid, d width, K entries; video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from vfe.models.prior import DualCodebookPrior
from vfe.weights.adapter import load_prior, write_adapter

from ..data import Batch
from ..evaluate import to_video
from ..losses import code_cross_entropy, feature_loss
from ..stage import Draw, Player, full_precision
from .clips import ClipConfig, ClipStage


@dataclass(frozen=True, kw_only=True)
class PriorPredictConfig(ClipConfig):
    """A run of this stage. `init` is what the stage prior_codebook left."""

    private: ClassVar[frozenset[str]] = ClipConfig.private | {"init"}

    init: str
    cross_entropy: float = 0.5


class Target(NamedTuple):
    """What the clean clip is in the codebooks."""

    codes: Tensor  # z_qs + z_qt, (B, d, t, h, w)
    spatial: Tensor  # (B, t, h, w) int64
    temporal: Tensor  # (B, t, h, w) int64


@torch.no_grad()
def target_codes(teacher: DualCodebookPrior, clean: Tensor) -> Target:
    """The nearest entries of clean video, by the encoder that made the codebooks."""
    codes = teacher.quantize(teacher.latents(clean))
    z_q = rearrange(codes.spatial.codes + codes.temporal.codes, "b t h w d -> b d t h w")
    return Target(z_q, codes.spatial.indices, codes.temporal.indices)


class PredictPlayer(Player):
    """MSE(z_l, sg(z_q)) + 0.5 (CE_s + CE_t); codebooks, and the encoder of the clean clips, are fixed."""

    def __init__(self, prior: DualCodebookPrior, cross_entropy: float) -> None:
        super().__init__()
        self.cross_entropy = cross_entropy
        self.teacher = deepcopy(prior).requires_grad_(False)
        self.net = prior.requires_grad_(True)
        for codebook in (prior.spatial_codebook, prior.temporal_codebook):
            codebook.requires_grad_(False)

    def forward(self, batch: Batch, draw: Draw) -> dict[str, Tensor]:  # noqa: ARG002 - nothing is drawn
        with full_precision(batch.clean.device):
            target = target_codes(self.teacher, batch.clean)
        latents = self.net.latents(batch.degraded)
        spatial = self.net.spatial_predictor(latents.spatial)
        temporal = self.net.temporal_predictor(latents.temporal)
        with full_precision(batch.clean.device):
            return {
                "feature": feature_loss(latents.encoded.float(), target.codes),
                "spatial": self.cross_entropy * code_cross_entropy(spatial.movedim(-1, 1), target.spatial),
                "temporal": self.cross_entropy * code_cross_entropy(temporal.movedim(-1, 1), target.temporal),
            }


class PriorPredictStage(ClipStage):
    """Judged by the share of codes that are named right on degraded dev clips."""

    def __init__(self, config: PriorPredictConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.config = config
        self.player = PredictPlayer(load_prior(Path(config.init), torch.float32), config.cross_entropy)
        self.players = (self.player,)

    def evaluate(self) -> dict[str, float]:
        """`spatial.<level>` and `temporal.<level>`: shares of tokens whose entry is the clean clip's."""
        if self.dev is None:
            return {}
        found: dict[str, list[float]] = {}
        net = self.player.net
        for level, degraded, clean in self.dev.pairs:
            target = target_codes(self.player.teacher, to_video(clean, self.device))
            latents = net.latents(to_video(degraded, self.device))
            spatial = net.spatial_predictor.indices(latents.spatial) == target.spatial
            temporal = net.temporal_predictor.indices(latents.temporal) == target.temporal
            for name, right in (("spatial", spatial), ("temporal", temporal)):
                found.setdefault(f"{name}.{level}", []).append(float(right.float().mean()))
        shares = {name: float(np.mean(values)) for name, values in found.items()}
        return {"score": float(np.mean(list(shares.values()))), **shares}

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        write_adapter(path, self.player.net, facts | self.data_facts(), torch.float32)
