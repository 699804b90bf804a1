"""Codebooks from clean video: encoder, both codebooks and a decoder, against an adversary (DVFace, 3.4, eq. 9 and 10).

B batch, T H W frames; t h w token grid, d width; video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from vfe.models.prior import DualCodebookPrior, PriorConfig
from vfe.models.prior.prior import DualCodes
from vfe.weights.adapter import write_adapter

from ..adversarial import Discriminator, DiscriminatorConfig, discriminator_loss, generator_loss, judge
from ..data import Batch
from ..evaluate import psnr, to_video
from ..losses import code_loss, l1_loss
from ..perceptual import PerceptualConfig, choose_vgg
from ..prior.decoder import PriorDecoder
from ..prior.revival import CodebookUsage
from ..samples import to_frames, write_sheet
from ..stage import Draw, Player, full_precision
from .clips import ClipConfig, ClipStage


@dataclass(frozen=True, kw_only=True)
class CodebookLossConfig:
    """Weights of eq. 9 and 10. The adversary joins at `adversary_from` of the run, when there is something to judge."""

    perceptual: float = 1.0
    commitment: float = 0.25
    adversarial: float = 0.8
    adversary_from: float = 0.1

    def __post_init__(self) -> None:
        if min(self.perceptual, self.commitment, self.adversarial) < 0 or not 0 <= self.adversary_from <= 1:
            raise ValueError(f"weights need to be 0 or more, adversary_from from 0 to 1: {self}")


@dataclass(frozen=True, kw_only=True)
class PriorCodebookConfig(ClipConfig):
    """A run of this stage. Entries that nothing is near to are moved every `revive_every` steps."""

    private: ClassVar[frozenset[str]] = ClipConfig.private | {"model"}  # it has its own place in the file

    model: PriorConfig = field(default_factory=PriorConfig)
    loss: CodebookLossConfig = field(default_factory=CodebookLossConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig)
    revive_every: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data.side % self.model.space or (self.data.frames - 1) % self.model.time or self.revive_every < 1:
            raise ValueError(
                f"data.side={self.data.side} and frames={self.data.frames} need to be a multiple of {self.model.space} "
                f"and {self.model.time}n+1, revive_every={self.revive_every} at least 1"
            )


class Autoencoder(nn.Module):
    """Clean video to codes and back: D(z_qs + z_qt)."""

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.prior = DualCodebookPrior(config)
        self.prior.spatial_predictor.requires_grad_(False)  # the next stage's
        self.prior.temporal_predictor.requires_grad_(False)
        self.decoder = PriorDecoder(config)

    def forward(self, video: Tensor) -> tuple[Tensor, DualCodes]:
        codes = self.prior.quantize(self.prior.latents(video))
        z_q = rearrange(codes.spatial.codes + codes.temporal.codes, "b t h w d -> b d t h w")
        return self.decoder(z_q), codes


class Judged(NamedTuple):
    """What the adversary is shown."""

    real: Tensor
    fake: Tensor


class AutoencoderPlayer(Player):
    """L1 + perceptual + code + 0.8 adversarial loss of the reconstruction."""

    def __init__(self, config: PriorCodebookConfig, perceptual: nn.Module, discriminator: Discriminator) -> None:
        super().__init__()
        self.config = config.loss
        self.net = Autoencoder(config.model)
        self.usage = nn.ModuleList(CodebookUsage(config.model.entries, config.model.dim) for _ in range(2))
        self.perceptual = perceptual
        self._discriminator = (discriminator,)  # another player's: no submodule of this one
        self.shown: dict[int, Judged] = {}
        """By the first slot of a part of the batch, until the adversary has judged it."""

    def forward(self, batch: Batch, draw: Draw) -> dict[str, Tensor]:
        x, weights = batch.clean, self.config
        x_hat, codes = self.net(x)
        with full_precision(x.device):
            x_hat = x_hat.float()
            self.shown[draw.slots.first] = Judged(x, x_hat.detach())
            self._count(codes)
            books = codes.spatial, codes.temporal
            terms = {
                "l1": l1_loss(x_hat, x),
                "perceptual": weights.perceptual * self.perceptual(x_hat, x),
                "code": torch.stack(
                    [code_loss(book.latents, book.entries, weights.commitment) for book in books]
                ).sum(),
            }
        if weights.adversarial and draw.progress >= weights.adversary_from:
            terms["adversarial"] = weights.adversarial * generator_loss(judge(self._discriminator[0], x_hat))
        return terms

    def _count(self, codes: DualCodes) -> None:
        for usage, book in zip(self.usage, (codes.spatial, codes.temporal), strict=True):
            assert isinstance(usage, CodebookUsage)
            usage.see(book.indices, book.latents)


class AdversaryPlayer(Player):
    """The discriminator on the pictures of the autoencoder's turn."""

    def __init__(self, discriminator: Discriminator, autoencoder: AutoencoderPlayer, joins: float) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.joins = joins
        self._autoencoder = (autoencoder,)

    def forward(self, batch: Batch, draw: Draw) -> dict[str, Tensor]:  # noqa: ARG002 - it was shown the batch
        shown = self._autoencoder[0].shown.pop(draw.slots.first)
        share = 1.0 if draw.progress >= self.joins else 0.0  # before its time it moves by nothing
        return {"discriminator": share * discriminator_loss(*(self.discriminator(video) for video in shown))}


class PriorCodebookStage(ClipStage):
    """Judged by how well clean dev clips come back through the codes, in dB."""

    degrades = False

    def __init__(self, config: PriorCodebookConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.config = config
        perceptual = choose_vgg(config.perceptual)
        self.notes = (perceptual.line,)
        discriminator = Discriminator(config.discriminator)
        self.autoencoder = AutoencoderPlayer(config, perceptual.loss, discriminator)
        self.players = (self.autoencoder,)
        if config.loss.adversarial:
            adversary = AdversaryPlayer(discriminator, self.autoencoder, config.loss.adversary_from)
            self.players = (self.autoencoder, adversary)

    @property
    def net(self) -> Autoencoder:
        return self.autoencoder.net

    def after_step(self, step: int) -> dict[str, float]:
        """Revive dead entries; the first time after one step, which puts all entries among the latents."""
        if step % self.config.revive_every:
            return {}
        facts: dict[str, float] = {}
        prior = self.net.prior
        books = {"spatial": prior.spatial_codebook, "temporal": prior.temporal_codebook}
        for (name, codebook), usage in zip(books.items(), self.autoencoder.usage, strict=True):
            assert isinstance(usage, CodebookUsage)
            facts |= {f"{name}_{fact}": value for fact, value in usage.revive(codebook).items()}
        return facts

    def evaluate(self) -> dict[str, float]:
        if self.dev is None:
            return {}
        clean = [to_video(clean, self.device) for level, _, clean in self.dev.pairs if level == "mild"]
        score = float(np.mean([psnr(self.net(video)[0].detach().clamp(-1, 1), video) for video in clean]))
        return {"score": score, "psnr": score}

    def samples(self, folder: Path) -> None:
        if self.dev is not None:
            clean = [clean for level, _, clean in self.dev.pairs if level == "mild"][: self.dev.shown]
            videos = [to_frames(self.net(to_video(frames, self.device))[0]) for frames in clean]
            write_sheet(folder / "codes.png", [[a[-1], b[-1]] for a, b in zip(clean, videos, strict=True)])

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """The prior without its decoder, which only this stage needs; its predictors are as they began."""
        write_adapter(path, self.net.prior, facts | self.data_facts(), torch.float32)
