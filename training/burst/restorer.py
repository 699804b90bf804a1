"""The face restorer: aligned damaged clips to clean ones, faithful first, then with a discriminator (DVFace, stage 2).

B batch, T frames, S side; video (B, 3, T, S, S) in [-1, 1].
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from vfe.models.lite import LiteModel
from vfe.weights.lite import save_lite_model

from ..lite.net import restore_video
from ..losses.adversarial import (
    RealAndGenerated,
    discriminator_loss,
    generator_loss,
    logits_for_generator,
)
from ..losses.disguised import disguised
from ..losses.drawn_frames import drawn_frames, take_frames
from ..losses.lattice import lattice_loss
from ..losses.perceptual.squeeze import SqueezeDistance
from ..losses.shifted import shifted
from ..losses.terms import penalise, temporal_loss
from ..run.stage import Draw, StepOutput, TrainableModule, full_precision
from .clips import Pairs, PairSource
from .close_up import close_up
from .feature_discriminator import FeatureDiscriminator
from .likeness import LikenessDistance, drawn_view
from .loop import BurstStage
from .precision import fast_autocast
from .true_codes import PriorReader, predicted_codes

ERROR_FLOOR = 2e-4  # mean square of [-1, 1]: 43 dB, beyond which no clip counts for more


@dataclass(frozen=True, kw_only=True)
class RestorerLossConfig:
    """Weights of what is added to the error of pixels."""

    latent: float = 0.005
    """The weight of the error of whitened coefficients, in which fine ones count as much as coarse ones."""
    perceptual: float = 0.35
    close_up: float = 0.2
    """The weight of the perceptual distance of eyes, nose and mouth alone, at twice their size."""
    likeness: float = 0.3
    """The weight of the distance between the persons, where there is a network that tells people apart."""
    features: float = 0.3
    """The weight of the distance of what that network sees at each place of the face."""
    temporal: float = 0.2
    lattice: float = 0.5
    """The weight of errors that repeat from block to block, to which a discriminator tempts."""
    balanced_from: float = 0.5
    """The share of the stage from which on clips are weighed by `damage_weight`. Not from the start: what cannot tell
    damage yet would learn to do nothing."""
    adversarial: float = 0.0
    drawn_frames: int = 1
    """How many frames of a clip the perceptual and the adversarial loss see, drawn anew each step."""

    def __post_init__(self) -> None:
        added = (self.latent, self.perceptual, self.close_up, self.likeness, self.features, self.temporal, self.lattice)
        if min(*added, self.adversarial, self.balanced_from) < 0 or self.drawn_frames < 1:
            raise ValueError(f"weights need to be 0 or more, drawn_frames at least 1: {self}")


class ImageDistances(NamedTuple):
    """Trained networks that compare images (N, 3, S, S) in [0, 1], frozen."""

    perceptual: SqueezeDistance
    likeness: LikenessDistance | None = None


USUAL_DAMAGE, LEAST_DAMAGE = 0.05, 0.01  # mean absolute error of [-1, 1]


def damage_weight(pairs: Pairs) -> Tensor:
    """The weight (B, 1, 1, 1, 1) of each clip in the loss, from 0.5 to 3 and about 1 at usual damage: less for more
    damage.

    Errors of nearly clean clips are small, and would count for nothing beside those of clips that are nearly lost. Our
    own choice.
    """
    damage = (pairs.degraded - pairs.clean).abs().mean((1, 2, 3, 4), keepdim=True)
    return (USUAL_DAMAGE / (damage + LEAST_DAMAGE)).clamp(0.5, 3)


class RestorerWithLoss(TrainableModule):
    """All of a lite model but its codec and prior, with its loss. It hands real and restored clips on to the
    discriminator."""

    def __init__(
        self,
        net: LiteModel,
        loss: RestorerLossConfig,
        distances: ImageDistances,
        discriminator: FeatureDiscriminator | None = None,
        read_prior: PriorReader = predicted_codes,
    ) -> None:
        super().__init__()
        self.net, self.loss, self.read_prior = net, loss, read_prior
        self.distances = distances  # in a tuple: they are in no saved state, and may differ when a run goes on
        self._discriminator = (discriminator,)  # another module trains it: no submodule of this one

    def forward(self, batch: Pairs, draw: Draw) -> StepOutput:
        net, weights, device = self.net, self.loss, batch.clean.device
        with full_precision(device):
            leads = batch.clean.shape[2] % net.codec.config.time == 1
            z_lq, z_clean, z_original = (net.codec.encode(video, leads=leads) for video in batch)
        prior = self.read_prior(net, batch.degraded, batch.clean)
        z = torch.cat([z_lq, z_original], 1) if net.sees_original else z_lq
        velocity = net(z, prior)
        with full_precision(device):
            z_hq = net.flow.restore(z_lq, velocity.float())
            x_hq = net.codec.decode(z_hq, leads=leads)
            weight = damage_weight(batch) if draw.progress >= weights.balanced_from else batch.clean.new_ones(())
            terms = {"pixel": (weight * penalise(x_hq - batch.clean, "charbonnier")).mean()}
            if weights.latent:
                terms["latent"] = weights.latent * (weight * (z_hq - z_clean).abs()).mean()
            if weights.temporal and x_hq.shape[2] > 1:
                terms["temporal"] = weights.temporal * temporal_loss(x_hq, batch.clean, "charbonnier")
            if weights.lattice:
                terms["lattice"] = weights.lattice * lattice_loss(x_hq, batch.clean)
        chosen = drawn_frames(len(x_hq), x_hq.shape[2], weights.drawn_frames, draw)
        real, generated = shifted(draw, *(take_frames(video, chosen) for video in (batch.clean, x_hq)))
        faces, clean_faces = images(generated), images(real)
        terms["perceptual"] = weights.perceptual * self.distances.perceptual(*disguised(draw, faces, clean_faces))
        if weights.close_up:
            near = disguised(draw, close_up(faces), close_up(clean_faces))
            terms["close_up"] = weights.close_up * self.distances.perceptual(*near)
        if self.distances.likeness is not None:
            likeness = self.distances.likeness(faces, clean_faces, drawn_view(draw))
            terms["likeness"] = weights.likeness * likeness.person
            terms["features"] = weights.features * likeness.features
        discriminator = self._discriminator[0]
        if discriminator is not None:
            terms["adversarial"] = weights.adversarial * generator_loss(logits_for_generator(discriminator, generated))
        return StepOutput(terms, RealAndGenerated(real, generated.detach()))


DISCRIMINATOR_RATE = 5.0
"""Times the restorer's rate, for one that falls behind lets textures pass (two time scales, Heusel et al. 2017)."""


class RestorerDiscriminatorWithLoss(TrainableModule):
    """The discriminator of the restorer with its loss, on the clips that the restorer's step hands on."""

    def __init__(self, discriminator: FeatureDiscriminator) -> None:
        super().__init__()
        self.critic = discriminator  # called so in the saved states of earlier runs

    def rate_of(self, name: str) -> float:  # noqa: ARG002 - one for all
        return DISCRIMINATOR_RATE

    def forward(self, batch: RealAndGenerated, draw: Draw) -> StepOutput:  # noqa: ARG002 - nothing is drawn
        return StepOutput({"discriminator": discriminator_loss(self.critic(batch.real), self.critic(batch.generated))})


class RestorerStage(BurstStage):
    """The restorer, scored by PSNR and perceptual distance on the same damaged clips of held-out people each time."""

    def __init__(
        self,
        restorer: RestorerWithLoss,
        pairs: PairSource,
        held_out: Pairs,
        discriminator: TrainableModule | None = None,
    ) -> None:
        self.trainables = (restorer,) if discriminator is None else (restorer, discriminator)
        self.restorer, self.pairs, self.held_out = restorer, pairs, held_out
        self._restored: list[Tensor] = []

    @property
    def net(self) -> LiteModel:
        return self.restorer.net

    def clips_of(self, step: int, count: int) -> int:
        return -(-count // 2) if self.pairs.longer(step) else count

    def batch(self, step: int, count: int) -> Pairs:
        return self.pairs(step, count)

    def evaluate(self) -> dict[str, float]:
        """`gain` is of PSNR over the input, dB; `percept` the perceptual distance, `percept_in` that of the input;
        `percept_near` that of eyes, nose and mouth; `identity` and `identity_in` that of the persons, where there is a
        network for it."""
        totals: dict[str, float] = defaultdict(float)
        distances = self.restorer.distances
        clips = len(self.held_out.clean)
        self._restored = []
        for degraded, clean, original in zip(*(x.split(1) for x in self.held_out), strict=True):
            with fast_autocast(clean.device):
                prior = self.restorer.read_prior(self.net, degraded, clean)
                restored = restore_video(self.net, degraded, original, prior).clamp(-1, 1)
            self._restored.append(restored)
            errors = [(x - clean).square().mean().clamp(min=ERROR_FLOOR).log10() for x in (degraded, restored)]
            totals["gain"] += 10 * float(errors[0] - errors[1]) / clips
            middle = torch.tensor([[clean.shape[2] // 2]])
            a, b, c = (images(take_frames(x, middle)) for x in (restored, clean, degraded))
            totals["percept"] += float(distances.perceptual(a, b)) / clips
            totals["percept_in"] += float(distances.perceptual(c, b)) / clips
            if distances.likeness is not None:
                totals["identity"] += float(distances.likeness(a, b).person) / clips
                totals["identity_in"] += float(distances.likeness(c, b).person) / clips
            totals["percept_near"] += float(distances.perceptual(close_up(a), close_up(b))) / clips
        return {"score": totals["gain"] - 10 * totals["percept"] / max(totals["percept_in"], 1e-6), **totals}

    def pictures(self) -> list[Tensor]:
        """Clips of held-out people: damaged, as they were restored when last scored, and clean."""
        return [self.held_out.degraded, torch.cat(self._restored), self.held_out.clean] if self._restored else []

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        save_lite_model(path, self.net, {**facts, "data_sha256": self.pairs.list_sha256})


def images(video: Tensor) -> Tensor:
    """The frames of clips (B, 3, n, S, S) in [-1, 1] as images (B n, 3, S, S) in [0, 1]."""
    return rearrange(video / 2 + 0.5, "b c n h w -> (b n) c h w")


def unfrozen(net: LiteModel, *, fusion_alone: bool = False) -> LiteModel:
    """`net` ready for training: all of it has gradients but its prior, which stays fixed; or the fusion has, alone."""
    net.train().requires_grad_(not fusion_alone)
    if net.fusion is not None:
        net.fusion.requires_grad_(True)
    if net.prior is not None:
        frozen: nn.Module = net.prior
        frozen.eval().requires_grad_(False)
    return net
