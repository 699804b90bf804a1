"""What code prediction trains: encoder and predictors learn to name the entries of the clean clip (DVFace, eq. 11).

B batch, t h w token grid, d width, K entries; video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from copy import deepcopy
from typing import Protocol

import torch
from torch import Tensor

from vfe.models.prior import DualCodebookPrior
from vfe.models.prior.prior import DualCodes

from ..losses.terms import code_cross_entropy, feature_loss
from ..run.stage import Draw, StepOutput, TrainableModule, full_precision
from .pairing import Pairing, check_pairing, paired


class ClipPairs(Protocol):
    """Any batch of degraded clips and the clean clips they were made of, (B, 3, T, H, W) in [-1, 1]."""

    @property
    def degraded(self) -> Tensor: ...

    @property
    def clean(self) -> Tensor: ...


@torch.no_grad()
def target_codes(teacher: DualCodebookPrior, clean: Tensor) -> DualCodes:
    """The entries nearest to clean video (B, 3, T, H, W), by the encoder that was trained with the codebooks."""
    return teacher.quantize(teacher.latents(clean))


class PredictorsWithLoss(TrainableModule):
    """Encoder and predictors with MSE(z_l, sg(z_q)) + 0.5 (CE_s + CE_t), where `pairing` says what z_l and z_q are.

    The codebooks, and the copy of the encoder that reads the clean clips, are fixed.
    """

    def __init__(self, prior: DualCodebookPrior, cross_entropy: float, pairing: Pairing = "sum") -> None:
        super().__init__()
        check_pairing(pairing)
        self.cross_entropy, self.pairing = cross_entropy, pairing
        self.teacher = deepcopy(prior).requires_grad_(False)
        self.net = prior.requires_grad_(True)
        for codebook in (prior.spatial_codebook, prior.temporal_codebook):
            codebook.requires_grad_(False)

    def forward(self, batch: ClipPairs, draw: Draw) -> StepOutput:  # noqa: ARG002 - nothing is drawn
        with full_precision(batch.clean.device):
            target = target_codes(self.teacher, batch.clean)
        latents = self.net.latents(batch.degraded)
        spatial = self.net.spatial_predictor(latents.spatial)
        temporal = self.net.temporal_predictor(latents.temporal)
        with full_precision(batch.clean.device):
            features = [feature_loss(z, z_q) for z, z_q in paired(latents, target, self.pairing)]
            terms = {
                "feature": torch.stack(features).sum(),
                "spatial": self.cross_entropy * code_cross_entropy(spatial.movedim(-1, 1), target.spatial.indices),
                "temporal": self.cross_entropy * code_cross_entropy(temporal.movedim(-1, 1), target.temporal.indices),
            }
        return StepOutput(terms)
