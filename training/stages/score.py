"""A flow model of clean lite latents, from which distribution matching learns what is real, as from Wan's own DiT.

    L = mean |v(z_tau, 1000 tau) - (eps - z_hq)|^2,  z_tau = (1 - tau) z_hq + tau eps

It is flow matching (Lipman et al. 2022) in the latents of one lite model's codec, which its scale whitens. What is
written is a file for `teacher: {kind: flow}`, and no restorer.

B batch, T H W frames; z latent (B, C, t, h, w); tau (B,) in (0, 1); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vfe.models.dit.model import DiTConfig, WanDiT
from vfe.models.flow import TRAIN_TIMESTEPS
from vfe.models.lite import LiteModel
from vfe.weights.lite import FLOW_FORMAT, save_lite_model

from ..data.clips import to_batch
from ..data.dev_set import to_video
from ..data.sheets import to_frames, write_sheet
from ..distill.matching import TauConfig, flow_loss
from ..distill.noise import noised
from ..lite.net import trainable_lite
from ..one_step import OneStepDiT
from ..run.recompute import checkpoint_blocks
from ..run.recorded import NOT_RECORDED
from ..run.stage import Draw, StepOutput, TrainableModule, full_precision
from .clips import ClipRunConfig, ClipStage

SCORED_TAUS = (0.2, 0.5, 0.8)
MEASURES = ("flow_error", *(f"flow_error.{tau}" for tau in SCORED_TAUS))


@dataclass(frozen=True, kw_only=True)
class ScoreConfig(ClipRunConfig):
    """A run of this stage: whose latents, of what size the model is, and how tau is drawn."""

    lite: str = field(metadata=NOT_RECORDED)
    """A lite restorer without a prior: its codec makes the latents, and training begins with its weights."""
    dit: DiTConfig | None = field(default=None, metadata=NOT_RECORDED)
    """Another size, for which training begins with random weights."""
    tau: TauConfig = field(default_factory=lambda: TauConfig(shift=1.0, low=0.001, high=0.999))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compile:
            raise ValueError("compile=true is not for this stage; leave it out")


class FlowWithLoss(TrainableModule):
    """The flow model with its loss on clean latents."""

    def __init__(self, model: OneStepDiT, tau: TauConfig) -> None:
        super().__init__()
        self.model, self.tau = model, tau

    def forward(self, z_hq: Tensor, draw: Draw) -> StepOutput:
        tau, noise = self.tau.of(draw.uniform(len(z_hq))).to(z_hq.device), draw.noise(z_hq)
        velocity = self.model.velocity(noised(z_hq, tau, noise), TRAIN_TIMESTEPS * tau).float()
        with full_precision(z_hq.device):
            return StepOutput({"flow": flow_loss(velocity, z_hq, noise)})


def initial_model(config: ScoreConfig) -> LiteModel:
    """The weights of `config.lite`, or random ones with its codec. Raises VFEError or ValueError for a wrong file."""
    net = trainable_lite(Path(config.lite))
    if net.prior is not None or net.sees_original:
        raise ValueError(
            f"{config.lite} has a prior or restores aligned faces: score needs a lite model of whole frames without a "
            "prior; python -m training.lite.drop_prior makes one"
        )
    if config.dit is None:
        return net
    flow = LiteModel(replace(net.config, dit=config.dit))
    flow.codec = net.codec
    return flow


class ScoreStage(ClipStage):
    """Flow matching on clean clips, scored by the error of the velocity on clean dev clips: lower is better."""

    degrades = False

    def __init__(self, config: ScoreConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.config = config
        self.net = initial_model(config)
        self.net.codec.to(device)
        assert isinstance(self.net.dit, WanDiT)
        if config.checkpointing:
            checkpoint_blocks(self.net.dit.blocks)
        self.model = OneStepDiT(self.net.dit, self.net.context, self.net.flow)
        self.trainables = (FlowWithLoss(self.model, config.tau),)
        self.choose_best(MEASURES, {"flow_error": -1.0})

    def to_batch(self, raw: tuple[Tensor, ...]) -> Tensor:  # type: ignore[override]
        """z_hq."""
        clean = to_batch(*raw).clean
        with full_precision(clean.device):
            return self.net.codec.encode(clean)

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        if self.dev is None:
            return {}
        rows = []
        for number, clean in enumerate(self._clean_clips()):
            z_hq = self.net.codec.encode(to_video(clean, self.device))
            noise = fixed_noise(z_hq, number)
            rows.append([float(self._error(z_hq, noise, tau)) for tau in SCORED_TAUS])
        means = [float(mean) for mean in np.mean(rows, axis=0)]
        return self.scored(dict(zip(MEASURES, [float(np.mean(means)), *means], strict=True)))

    def _error(self, z_hq: Tensor, noise: Tensor, tau: float) -> Tensor:
        taus = torch.full((1,), tau, device=z_hq.device)
        return flow_loss(self.model.velocity(noised(z_hq, taus, noise), TRAIN_TIMESTEPS * taus).float(), z_hq, noise)

    def _clean_clips(self) -> list[Tensor]:
        assert self.dev is not None
        return [clean for level, _, clean in self.dev.pairs if level == "mild"]

    def samples(self, folder: Path) -> None:
        """A picture of each clip: its last frame, and what the model makes of it at each tau."""
        if self.dev is None:
            return
        for number, clean in enumerate(self._clean_clips()[: self.dev.shown]):
            z_hq = self.net.codec.encode(to_video(clean, self.device))
            noise = fixed_noise(z_hq, number)
            row = [clean[-1]]
            for tau in SCORED_TAUS:
                taus = torch.full((1,), tau, device=self.device)
                x0 = self.model.denoised(noised(z_hq, taus, noise), taus)
                row.append(to_frames(self.net.codec.decode(x0).clamp(-1, 1))[-1])
            write_sheet(folder / f"clip{number}.png", [row])

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        save_lite_model(path, self.net, facts | self.data_facts(), file_format=FLOW_FORMAT)


def fixed_noise(like: Tensor, seed: int) -> Tensor:
    """Normal noise of the shape of `like` that depends on the seed alone."""
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed)).to(like)
