"""Codes from degraded video: encoder and predictors learn to name the entries of the clean clip (DVFace, 3.4, eq. 11).

B batch, t h w token grid, d width, K entries; video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vfe.weights.adapter import load_prior, write_adapter

from ..data.dev_set import LEVELS, to_video
from ..prior.naming import PredictorsWithLoss, target_codes
from ..prior.pairing import Pairing, distance_share
from ..run.recorded import NOT_RECORDED
from .clips import ClipRunConfig, ClipStage

SHARES = tuple(f"{book}.{level}" for level in LEVELS for book in ("spatial", "temporal"))


@dataclass(frozen=True, kw_only=True)
class PriorPredictConfig(ClipRunConfig):
    """A run of this stage. `init` is the file that the stage prior_codebook exported."""

    init: str = field(metadata=NOT_RECORDED)
    cross_entropy: float = 0.5
    pairing: Pairing = "sum"
    """What is drawn to what in the feature loss; that of the codebooks' stage."""


class PriorPredictStage(ClipStage):
    """Code prediction, scored by the share of codes that are named right on degraded dev clips."""

    def __init__(self, config: PriorPredictConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.config = config
        prior = load_prior(Path(config.init), torch.float32)
        self.predictors = PredictorsWithLoss(prior, config.cross_entropy, config.pairing)
        self.trainables = (self.predictors,)
        self.choose_best((*SHARES, "distance_share"), dict.fromkeys(SHARES, 1 / len(SHARES)))

    def evaluate(self) -> dict[str, float]:
        """`spatial.<level>` and `temporal.<level>`: shares of tokens whose entry is the clean clip's.

        `distance_share` is how far the clean clip's codes are from z_l of the degraded one, over the variance of z_l.
        """
        if self.dev is None:
            return {}
        found: dict[str, list[float]] = {}
        apart: list[float] = []
        net = self.predictors.net
        for level, degraded, clean in self.dev.pairs:
            target = target_codes(self.predictors.teacher, to_video(clean, self.device))
            latents = net.latents(to_video(degraded, self.device))
            spatial = net.spatial_predictor.indices(latents.spatial) == target.spatial.indices
            temporal = net.temporal_predictor.indices(latents.temporal) == target.temporal.indices
            apart.append(distance_share(latents, target))
            for name, right in (("spatial", spatial), ("temporal", temporal)):
                found.setdefault(f"{name}.{level}", []).append(float(right.float().mean()))
        shares = {name: float(np.mean(values)) for name, values in found.items()}
        return self.scored({**shares, "distance_share": float(np.mean(apart))})

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        write_adapter(path, self.predictors.net, facts | self.data_facts(), torch.float32)
