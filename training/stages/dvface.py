"""DVFace's second stage: DiT, fusion and VAE decoder, with prior and VAE encoder fixed (section 3.4, eq. 12 to 15).

B batch, T H W frames; z latent (B, C, t, h, w); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vfe.models.prior.fusion import FusionConfig
from vfe.weights.adapter import load_prior

from ..data.clips import to_batch
from ..data.dev_set import MEASURES, evaluate, write_samples
from ..dvface.net import DVFaceNet, LiteNet
from ..losses.flow_warp import Flows, estimate_flows, warp_loss
from ..losses.perceptual import PerceptualConfig, choose_lpips
from ..losses.terms import penalise
from ..run.best import WITH_PERCEPTION
from ..run.recorded import NOT_RECORDED
from ..run.stage import Draw, StepOutput, TrainableModule, full_precision
from ..wan.model import WanTrainConfig
from .clips import ClipRunConfig, ClipStage


@dataclass(frozen=True, kw_only=True)
class DVFaceLoss:
    """Weights of eq. 12 and 13; `masked` leaves places out of the temporal loss that a neighbour does not show."""

    latent: float = 1.0
    pixel: float = 1.0
    perceptual: float = 1.0
    temporal: float = 0.1
    masked: bool = False

    def __post_init__(self) -> None:
        if min(self.latent, self.pixel, self.perceptual, self.temporal) < 0:
            raise ValueError(f"weights of a loss need to be 0 or more: {self}")


@dataclass(frozen=True, kw_only=True)
class DVFaceConfig(ClipRunConfig):
    """A run of this stage: on lite (the file of a lite restorer without a prior) or on the files of a Wan restorer."""

    lite: str | None = field(default=None, metadata=NOT_RECORDED)
    wan: WanTrainConfig | None = None
    prior: str = field(metadata=NOT_RECORDED)
    """What the stage prior_predict left."""
    fusion: FusionConfig = field(default_factory=FusionConfig)
    decoder: bool = True
    """Whether Wan's VAE decoder is trained; lite's has no weights."""
    loss: DVFaceLoss = field(default_factory=DVFaceLoss)
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig, metadata=NOT_RECORDED)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.lite is None) == (self.wan is None):
            raise ValueError("a run of dvface needs lite or wan, and not both: what is it to train on?")


class DVFaceBatch(NamedTuple):
    """z_lq is encoded and the flow of the clean clips estimated outside of the loss: neither has gradients."""

    degraded: Tensor
    clean: Tensor
    z_lq: Tensor
    z_hq: Tensor
    flows: Flows | None


class DVFaceWithLoss(TrainableModule):
    """Latent MSE + pixel MSE + LPIPS + 0.1 temporal loss."""

    def __init__(self, net: DVFaceNet, loss: DVFaceLoss, perceptual: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.loss = loss
        self.perceptual = perceptual

    def forward(self, batch: DVFaceBatch, draw: Draw) -> StepOutput:  # noqa: ARG002 - nothing is drawn
        loss = self.loss
        z_hq = self.net.restore(batch.z_lq, self.net.read_prior(batch.degraded))
        with full_precision(z_hq.device):
            x_hq = self.net.decode(z_hq)
            terms = {
                "latent": loss.latent * penalise(z_hq - batch.z_hq, "mse").mean(),
                "pixel": loss.pixel * penalise(x_hq - batch.clean, "mse").mean(),
                "perceptual": loss.perceptual * self.perceptual(x_hq, batch.clean),
            }
            if batch.flows is not None:
                terms["temporal"] = loss.temporal * warp_loss(x_hq, batch.flows, loss.masked)
        return StepOutput(terms)


class DVFaceStage(ClipStage):
    """Restorer, fusion and decoder on face clips, scored by gains over the degraded dev clips, in PSNR and in the
    perceptual distance."""

    def __init__(self, config: DVFaceConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.config = config
        self.net = _build(config, device)
        if config.data.side % self.net.token:
            raise ValueError(f"data.side={config.data.side}, needed a multiple of {self.net.token}")
        perceptual = choose_lpips(config.perceptual)
        self.notes = (perceptual.line,)
        self.trainables = (DVFaceWithLoss(self.net, config.loss, perceptual.loss),)
        self._distance = perceptual.loss
        self.choose_best((*MEASURES, "perceptual_gain"), WITH_PERCEPTION)

    def to_batch(self, raw: tuple[Tensor, ...]) -> DVFaceBatch:  # type: ignore[override]
        degraded, clean, _ = to_batch(*raw)
        flows = estimate_flows(raw[1].cpu()).to(self.device) if self.config.loss.temporal else None
        return DVFaceBatch(degraded, clean, self.net.encode(degraded), self.net.encode(clean), flows)

    def evaluate(self) -> dict[str, float]:
        if self.dev is None:
            return {}
        return self.scored(evaluate(self.net, self.dev, self.device, self.config.precision, self._distance))

    def samples(self, folder: Path) -> None:
        if self.dev is not None:
            write_samples(self.net, self.dev, folder, self.device, self.config.precision)

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        self.net.export(path, facts | self.data_facts())


def _build(config: DVFaceConfig, device: torch.device) -> DVFaceNet:
    prior = load_prior(Path(config.prior), torch.float32)
    if config.lite is not None:
        return LiteNet(Path(config.lite), prior, config.fusion, config.checkpointing)
    from ..dvface.wan import WanNet

    assert config.wan is not None
    net = WanNet(config.wan, prior, config.fusion, decoder=config.decoder, checkpointing=config.checkpointing)
    net.prepare(device, half=device.type == "cuda" and config.precision != "no")
    return net
