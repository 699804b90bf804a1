"""Codebooks from clean video: encoder, both codebooks and a decoder, against a discriminator (DVFace, eq. 9 and 10).

B batch, T H W frames; t h w token grid, d width; video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vfe.models.prior import PriorConfig
from vfe.weights.adapter import write_adapter

from ..data.dev_set import psnr, to_video
from ..data.sheets import to_frames, write_sheet
from ..losses.adversarial import Discriminator, DiscriminatorConfig
from ..losses.perceptual import PerceptualConfig, choose_vgg
from ..prior.autoencoder import Autoencoder, AutoencoderWithLoss, CodebookLossConfig, DiscriminatorWithLoss
from ..prior.pairing import distance_share
from ..run.recorded import NOT_RECORDED
from .clips import ClipRunConfig, ClipStage

MEASURES = ("psnr", "perceptual", "distance_share")


@dataclass(frozen=True, kw_only=True)
class PriorCodebookConfig(ClipRunConfig):
    """A run of this stage. Entries that nothing is near to are moved every `revive_every` steps."""

    model: PriorConfig = field(default_factory=PriorConfig, metadata=NOT_RECORDED)
    """The sizes of the prior; not recorded with the run, as the exported file has a place of its own for them."""
    loss: CodebookLossConfig = field(default_factory=CodebookLossConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig, metadata=NOT_RECORDED)
    revive_every: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data.side % self.model.space or (self.data.frames - 1) % self.model.time or self.revive_every < 1:
            raise ValueError(
                f"data.side={self.data.side} and frames={self.data.frames} need to be a multiple of {self.model.space} "
                f"and {self.model.time}n+1, revive_every={self.revive_every} at least 1"
            )


class PriorCodebookStage(ClipStage):
    """Codebook learning, scored by the PSNR in dB of clean dev clips that come back through the codes.

    `perceptual` is their distance by the perceptual loss, lower is better, and `distance_share` how far the sum of the
    codes is from z_h, over the variance of z_h.
    """

    degrades = False

    def __init__(self, config: PriorCodebookConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.config = config
        perceptual = choose_vgg(config.perceptual)
        self.notes = (perceptual.line,)
        discriminator = Discriminator(config.discriminator)
        self.autoencoder = AutoencoderWithLoss(config.model, config.loss, perceptual.loss, discriminator)
        self.trainables = (self.autoencoder,)
        if config.loss.adversarial:
            adversary = DiscriminatorWithLoss(discriminator, config.loss.adversary_from)
            self.trainables = (self.autoencoder, adversary)
        self.choose_best(MEASURES, {"psnr": 1.0})

    @property
    def net(self) -> Autoencoder:
        return self.autoencoder.net

    def after_step(self, step: int) -> dict[str, float]:
        """Revive dead entries; the first time after one step, which puts all entries among the latents."""
        if step % self.config.revive_every:
            return {}
        return self.autoencoder.revive()

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        if self.dev is None:
            return {}
        clean = [to_video(clean, self.device) for level, _, clean in self.dev.pairs if level == "mild"]
        rows = []
        for video in clean:
            restored, latents, codes = self.net(video)
            restored = restored.clamp(-1, 1)
            perceptual = float(self.autoencoder.perceptual(restored, video))
            rows.append((psnr(restored, video), perceptual, distance_share(latents, codes)))
        return self.scored(dict(zip(MEASURES, map(float, np.mean(rows, axis=0)), strict=True)))

    def samples(self, folder: Path) -> None:
        if self.dev is not None:
            clean = [clean for level, _, clean in self.dev.pairs if level == "mild"][: self.dev.shown]
            videos = [to_frames(self.net(to_video(frames, self.device))[0]) for frames in clean]
            write_sheet(folder / "codes.png", [[a[-1], b[-1]] for a, b in zip(clean, videos, strict=True)])

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """The prior without its decoder, which only this stage needs; its predictors are as they began."""
        write_adapter(path, self.net.prior, facts | self.data_facts(), torch.float32)
