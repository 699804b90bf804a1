"""What codebook learning trains: an autoencoder through both codebooks, and its discriminator (DVFace, eq. 9 and 10).

B batch, T H W frames; t h w token grid, d width; video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from einops import rearrange
from torch import Tensor, nn

from vfe.models.prior import DualCodebookPrior, PriorConfig
from vfe.models.prior.prior import DualCodes, Latents

from ..losses.adversarial import (
    Discriminator,
    RealAndGenerated,
    discriminator_loss,
    generator_loss,
    logits_for_generator,
)
from ..losses.drawn_frames import drawn_frames, take_frames
from ..losses.terms import code_loss, l1_loss
from ..run.stage import Draw, StepOutput, TrainableModule, full_precision
from .decoder import PriorDecoder
from .pairing import Pairing, check_pairing, paired
from .revival import CodebookUsage


class CleanClips(Protocol):
    """Any batch that has clean clips (B, 3, T, H, W) in [-1, 1]."""

    @property
    def clean(self) -> Tensor: ...


@dataclass(frozen=True, kw_only=True)
class CodebookLossConfig:
    """Weights of eq. 9 and 10. The discriminator joins at `adversary_from` of the run, from 0 to 1, when there is
    something to tell apart."""

    perceptual: float = 1.0
    commitment: float = 0.25
    pairing: Pairing = "sum"
    """What is drawn to what in the code loss: `sum` is the paper's."""
    adversarial: float = 0.8
    adversary_from: float = 0.1
    drawn_frames: int | None = None
    """How many frames of a clip the perceptual and the adversarial loss see, drawn anew each step; None: all."""

    def __post_init__(self) -> None:
        if self.drawn_frames is not None and self.drawn_frames < 1:
            raise ValueError(f"drawn_frames={self.drawn_frames}, needed at least 1, or None for all")
        check_pairing(self.pairing)
        if min(self.perceptual, self.commitment, self.adversarial) < 0 or not 0 <= self.adversary_from <= 1:
            raise ValueError(f"weights need to be 0 or more, adversary_from from 0 to 1: {self}")


class Autoencoder(nn.Module):
    """Clean video (B, 3, T, H, W) to codes and back to video: D(z_qs + z_qt), with latents and codes."""

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.prior = DualCodebookPrior(config)
        self.prior.spatial_predictor.requires_grad_(False)  # the next stage's
        self.prior.temporal_predictor.requires_grad_(False)
        self.decoder = PriorDecoder(config)

    def forward(self, video: Tensor) -> tuple[Tensor, Latents, DualCodes]:
        latents = self.prior.latents(video)
        codes = self.prior.quantize(latents)
        z_q = rearrange(codes.spatial.codes + codes.temporal.codes, "b t h w d -> b d t h w")
        return self.decoder(z_q), latents, codes


class AutoencoderWithLoss(TrainableModule):
    """The autoencoder with L1 + perceptual + code + 0.8 adversarial loss of its reconstruction.

    It hands real and reconstructed clips on to the discriminator.
    """

    def __init__(
        self, model: PriorConfig, loss: CodebookLossConfig, perceptual: nn.Module, discriminator: Discriminator
    ) -> None:
        super().__init__()
        self.config = loss
        self.net = Autoencoder(model)
        self.usage = nn.ModuleList(CodebookUsage(model.entries, model.dim) for _ in range(2))
        self.perceptual = perceptual
        self._discriminator = (discriminator,)  # another module trains it: no submodule of this one

    def forward(self, batch: CleanClips, draw: Draw) -> StepOutput:
        x, weights = batch.clean, self.config
        x_hat, latents, codes = self.net(x)
        with full_precision(x.device):
            x_hat = x_hat.float()
            real, generated = self._seen(x, x_hat, draw)
            self._count(codes)
            pairs = paired(latents, codes, weights.pairing)
            terms = {
                "l1": l1_loss(x_hat, x),
                "perceptual": weights.perceptual * self.perceptual(generated, real),
                "code": torch.stack([code_loss(z, z_q, weights.commitment) for z, z_q in pairs]).sum(),
            }
        if weights.adversarial and draw.progress >= weights.adversary_from:
            logits = logits_for_generator(self._discriminator[0], generated)
            terms["adversarial"] = weights.adversarial * generator_loss(logits)
        return StepOutput(terms, RealAndGenerated(real, generated.detach()))

    def revive(self) -> dict[str, float]:
        """Move entries that no latent was near to. Returns, by codebook, how much of it was used."""
        facts: dict[str, float] = {}
        books = {"spatial": self.net.prior.spatial_codebook, "temporal": self.net.prior.temporal_codebook}
        for (name, codebook), usage in zip(books.items(), self.usage, strict=True):
            assert isinstance(usage, CodebookUsage)
            facts |= {f"{name}_{fact}": value for fact, value in usage.revive(codebook).items()}
        return facts

    def _seen(self, x: Tensor, x_hat: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """The frames of both that the losses of images see."""
        count = self.config.drawn_frames
        if count is None:
            return x, x_hat
        chosen = drawn_frames(len(x), x.shape[2], count, draw)
        return take_frames(x, chosen), take_frames(x_hat, chosen)

    def _count(self, codes: DualCodes) -> None:
        for usage, book in zip(self.usage, (codes.spatial, codes.temporal), strict=True):
            assert isinstance(usage, CodebookUsage)
            usage.see(book.indices, book.latents)


class DiscriminatorWithLoss(TrainableModule):
    """The discriminator with its loss, on the clips that the generator's step hands on.

    Before `joins`, a share of the run, its loss is zero: it is there, and does not move.
    """

    def __init__(self, discriminator: Discriminator, joins: float) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.joins = joins

    def forward(self, batch: RealAndGenerated, draw: Draw) -> StepOutput:
        loss = discriminator_loss(self.discriminator(batch.real), self.discriminator(batch.generated))
        return StepOutput({"discriminator": (1.0 if draw.progress >= self.joins else 0.0) * loss})
