"""The lite restorer by the VividFace recipe: a phase on latents, then on pixels, each clip scored on the face or on the
whole frame at random.

B batch, T H W frames; z latent (B, C, t, h, w); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vfe.models.lite import LiteConfig, LiteModel
from vfe.models.prior.fusion import FusionConfig
from vfe.types import never_cancelled
from vfe.weights.adapter import load_prior
from vfe.weights.lite import save_lite_model

from ..data.clips import Batch
from ..data.dev_set import MEASURES, evaluate, write_samples
from ..data.masks import align_mask
from ..lite.codec_scale import measure_scale
from ..lite.net import restore_video, trainable_lite, with_prior
from ..losses.perceptual import Chosen, PerceptualConfig, choose_dists
from ..losses.terms import LossConfig, structure_loss, switched_loss, temporal_loss
from ..run.best import BY_PSNR, WITH_PERCEPTION
from ..run.recompute import checkpoint_blocks
from ..run.recorded import NOT_RECORDED
from ..run.stage import Draw, StepOutput, TrainableModule, full_precision
from .clips import ClipRunConfig, ClipStage


@dataclass(frozen=True, kw_only=True)
class PhaseConfig:
    """A part of the run: its share of it, and its loss."""

    share: float
    loss: LossConfig

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"phase share is {self.share}, needed above 0 and at most 1")


@dataclass(frozen=True, kw_only=True)
class LiteTrainConfig(ClipRunConfig):
    """A run of the lite model: its sizes, what it starts from, and the phases of its loss."""

    model: LiteConfig = field(metadata=NOT_RECORDED)
    """The sizes of the model; not recorded with the run, as the exported file has a place of its own for them."""
    init: str | None = field(default=None, metadata=NOT_RECORDED)
    """A restorer file of the same model to start from, instead of random weights; a prior in it stays as it is."""
    prior: str | None = field(default=None, metadata=NOT_RECORDED)
    """What the stage prior_predict left, to be fused into the model; fixed. None: the model as it is."""
    fusion: FusionConfig = field(default_factory=FusionConfig)
    """The fusion of that prior."""
    init_rate: float = 1.0
    """The factor of the learning rate for all but the fusion: below 1, what is new learns faster than the rest
    forgets."""
    phases: tuple[PhaseConfig, ...]
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig, metadata=NOT_RECORDED)

    def __post_init__(self) -> None:
        super().__post_init__()
        if abs(sum(phase.share for phase in self.phases) - 1) > 1e-6:
            raise ValueError(f"phase shares add up to {sum(phase.share for phase in self.phases)}, needed 1")

    def loss_at(self, progress: float) -> LossConfig:
        """The loss of the phase that holds at `progress` in [0, 1]."""
        end = 0.0
        for phase in self.phases:
            end += phase.share
            if progress < end:
                return phase.loss
        return self.phases[-1].loss


class LiteWithLoss(TrainableModule):
    """DiT, prompt and fusion of a lite model with the loss of the phase; codec, prior and DISTS are fixed."""

    def __init__(self, net: LiteModel, config: LiteTrainConfig, perceptual: Chosen | None) -> None:
        super().__init__()
        self.config = config
        self.net = net
        self.perceptual = perceptual.loss if perceptual else None
        if config.checkpointing:
            checkpoint_blocks(net.dit.blocks)
        # In a tuple, as a submodule it would name the weights twice; dev clips of other sizes go to the net itself.
        self._velocity = (torch.compile(net) if config.compile else net,)

    def rate_of(self, name: str) -> float:
        return 1.0 if name.startswith("net.fusion.") else self.config.init_rate

    def forward(self, batch: Batch, draw: Draw) -> StepOutput:
        config, device = self.config.loss_at(draw.progress), batch.clean.device
        on_face = (draw.uniform(len(batch.clean)) < config.face_probability).to(device)
        with full_precision(device):
            z_lq = self.net.codec.encode(batch.degraded)
        with torch.no_grad():
            prior = self.net.read_prior(batch.degraded, never_cancelled)
        velocity = self._velocity[0](z_lq, prior).float()
        with full_precision(device):
            z_hq = self.net.flow.restore(z_lq, velocity)
            if config.space == "latent":
                return StepOutput(self.latent_terms(z_hq, batch, on_face, config))
            return StepOutput(self.pixel_terms(self.net.codec.decode(z_hq), batch, on_face, config))

    def latent_terms(self, z_hq: Tensor, batch: Batch, on_face: Tensor, config: LossConfig) -> dict[str, Tensor]:
        codec = self.net.codec
        mask = align_mask(batch.mask, codec.config.time, codec.config.space)
        clean = codec.encode(batch.clean)
        return {"latent": switched_loss(z_hq, clean, mask, on_face, config.penalty, config.face_mean)}

    def pixel_terms(self, x_hq: Tensor, batch: Batch, on_face: Tensor, config: LossConfig) -> dict[str, Tensor]:
        mask = batch.mask.unsqueeze(1)
        terms = {"pixel": switched_loss(x_hq, batch.clean, mask, on_face, config.penalty, config.face_mean)}
        if config.dists and self.perceptual is not None:
            terms["perceptual"] = config.dists * self.perceptual(x_hq, batch.clean)
        if config.structure:
            terms["structure"] = config.structure * structure_loss(x_hq, batch.clean)
        if config.temporal:
            terms["temporal"] = config.temporal * temporal_loss(x_hq, batch.clean, config.penalty)
        return terms


def initial_model(config: LiteTrainConfig) -> LiteModel:
    """Random weights and a measured codec scale, or the weights of `config.init`."""
    if config.init is None:
        net = LiteModel(config.model)
        net.codec.scale.copy_(measure_scale(net.codec, config.data))
        return net
    net = trainable_lite(Path(config.init))
    plain = replace(net.config, prior=None, fusion=None)
    if plain != config.model:
        raise ValueError(f"{config.init} is {plain}, the run's model is {config.model}: they need to be the same")
    return net


class LiteStage(ClipStage):
    """The lite restorer on face clips, scored by the gain in PSNR over the degraded dev clips."""

    def __init__(self, config: LiteTrainConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.config = config
        self.net = initial_model(config)
        if config.prior is not None:
            self.net = with_prior(self.net, load_prior(Path(config.prior), torch.float32), config.fusion)
        uses_dists = any(phase.loss.dists for phase in config.phases)
        perceptual = choose_dists(config.perceptual) if uses_dists else None
        self.notes = (perceptual.line if perceptual else "perceptual: no phase weighs dists, so none is used",)
        self.trainables = (LiteWithLoss(self.net, config, perceptual),)
        self._distance = perceptual.loss if perceptual else None
        names = MEASURES if perceptual is None else (*MEASURES, "perceptual_gain")
        self.choose_best(names, BY_PSNR if perceptual is None else WITH_PERCEPTION)

    def evaluate(self) -> dict[str, float]:
        if self.dev is None:
            return {}
        restore = partial(restore_video, self.net)
        return self.scored(evaluate(restore, self.dev, self.device, self.config.precision, self._distance))

    def samples(self, folder: Path) -> None:
        if self.dev is not None:
            restore = partial(restore_video, self.net)
            write_samples(restore, self.dev, folder, self.device, self.config.precision)

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        save_lite_model(path, self.net, facts | self.data_facts())
