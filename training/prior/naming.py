"""The player of code prediction: encoder and predictors learn to name the entries of the clean clip (DVFace, eq. 11).

B batch, t h w token grid, d width, K entries; video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple, Protocol

import torch
from einops import rearrange
from torch import Tensor

from vfe.models.prior import DualCodebookPrior

from ..losses.terms import code_cross_entropy, feature_loss
from ..run.stage import Draw, Player, full_precision


class DamagedClips(Protocol):
    """A batch of clips of which both twins are read."""

    @property
    def degraded(self) -> Tensor: ...

    @property
    def clean(self) -> Tensor: ...


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

    def forward(self, batch: DamagedClips, draw: Draw) -> dict[str, Tensor]:  # noqa: ARG002 - nothing is drawn
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
