"""Stage 1 of DVFace for aligned faces: both codebooks from clean clips, then their entries named from damaged ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vfe.models.prior import DualCodebookPrior, PriorConfig
from vfe.weights.adapter import write_adapter

from ..losses.adversarial import Discriminator, DiscriminatorConfig
from ..losses.perceptual.frames import FrameLoss
from ..losses.perceptual.squeeze import SqueezeDistance
from ..prior.autoencoder import Autoencoder, AutoencoderWithLoss, CodebookLossConfig, DiscriminatorWithLoss
from ..prior.naming import PredictorsWithLoss, target_codes
from ..prior.pairing import Pairing
from .clips import Pairs, PairSource
from .loop import BurstStage
from .precision import fast_autocast

REVIVE_EVERY_STEPS = 100  # steps
PAIRING: Pairing = "both"
"""Of both stages: training/RESULTS.md says why."""


class CodebookStage(BurstStage):
    """Codebook learning, scored by the PSNR in dB of clean clips of held-out people after codes and decoder."""

    def __init__(
        self,
        config: PriorConfig,
        discriminator_config: DiscriminatorConfig,
        pairs: PairSource,
        held_out: Pairs,
        loss: SqueezeDistance,
    ) -> None:
        weights = CodebookLossConfig(pairing=PAIRING, adversarial=0.1, adversary_from=0.5, drawn_frames=1)
        device = held_out.clean.device
        discriminator = Discriminator(discriminator_config).to(device)
        self.autoencoder = AutoencoderWithLoss(config, weights, FrameLoss(loss), discriminator).to(device)
        self.trainables = (self.autoencoder, DiscriminatorWithLoss(discriminator, weights.adversary_from))
        self.pairs, self.held_out = pairs, held_out

    @property
    def net(self) -> Autoencoder:
        return self.autoencoder.net

    def batch(self, step: int, count: int) -> Pairs:
        return self.pairs.clean_alone(step, count)

    def after_step(self, step: int) -> dict[str, float]:
        """Revive dead entries; the first time after one step, which puts all entries among the latents."""
        return {} if step % REVIVE_EVERY_STEPS else self.autoencoder.revive()

    def evaluate(self) -> dict[str, float]:
        errors = []
        for clean in self.held_out.clean.split(1):
            with fast_autocast(clean.device):
                video = self.net(clean)[0]
            errors.append(float((video.float().clamp(-1, 1) - clean).square().mean()))
        psnr = float(-10 * (torch.tensor(errors) / 4).log10().mean())
        return {"score": psnr, "psnr": psnr}

    def pictures(self) -> list[Tensor]:
        """Clean clips, and what comes back through the codes."""
        return [self.held_out.clean, self.net(self.held_out.clean)[0].float()]

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """The prior without its decoder; its predictors are as they began."""
        write_adapter(path, self.net.prior, {**facts, "data_sha256": self.pairs.list_sha256}, torch.float32)


class PredictStage(BurstStage):
    """Code prediction, scored by the share of tokens of damaged clips whose entry is the clean clip's."""

    def __init__(self, prior: DualCodebookPrior, pairs: PairSource, held_out: Pairs) -> None:
        self.predictors = PredictorsWithLoss(prior.to(held_out.clean.device), 0.5, PAIRING)
        self.trainables = (self.predictors,)
        self.pairs, self.held_out = pairs, held_out

    def batch(self, step: int, count: int) -> Pairs:
        return self.pairs(step, count)

    def evaluate(self) -> dict[str, float]:
        right = torch.tensor([list(self._right(Pairs(*pair))) for pair in zip(*self._single(), strict=True)])
        spatial, temporal = right.mean(0).tolist()
        return {"score": (spatial + temporal) / 2, "spatial": spatial, "temporal": temporal}

    def _single(self) -> Iterator[tuple[Tensor, ...]]:
        return (x.split(1) for x in self.held_out)

    def _right(self, pair: Pairs) -> Iterator[float]:
        """Shares of spatial and temporal codes of one clip."""
        net = self.predictors.net
        target = target_codes(self.predictors.teacher, pair.clean)
        latents = net.latents(pair.degraded)
        yield float((net.spatial_predictor.indices(latents.spatial) == target.spatial.indices).float().mean())
        yield float((net.temporal_predictor.indices(latents.temporal) == target.temporal.indices).float().mean())

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        write_adapter(path, self.predictors.net, {**facts, "data_sha256": self.pairs.list_sha256}, torch.float32)
