"""Distribution matching distillation with a fake model of LoRA, and what others have added to it, each a switch.

    L = w 1/2 mean |x - sg(x - g)|^2,  g of a fake and a real flow model (matching.py, scores.py)

- `vsd`: g without DMD's normaliser, as in SwiftBrush (Nguyen and Tran 2023); its weight 1 / tau is our own.
- `guidance`: both models are guided away from a negative prompt by one random number a step, SNOOPI's PG-SB (Nguyen et
  al. 2024); from its abstract.
- `tau.phase`: the interval of Phased DMD (Fan et al. 2025).
- `transport`: VDOT's optimal transport (2025) by our own form: g + w_t g_t, where g_t has what the Sinkhorn plan of the
  batch carries x0(fake) to in the place of x0(real). The plan is of the clips that one process has in hand.
- `low_noise`: Flash-DMD's split (2025): clips whose tau is below `split` have a loss on pixels against the clean clip
  instead of g. From its abstract; the split and the form of the loss are our own.

x latent (B, C, t, h, w); tau (B,).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from vfe.weights.prompt import read_prompt_embedding

from ...losses.terms import penalise
from ...one_step import per_clip
from ...run.recorded import NOT_RECORDED
from ...run.stage import Draw, full_precision
from ..batch import DistillBatch
from ..matching import TauConfig, direction, distance_to, guided, matching_loss, transported
from ..method import Addition
from ..noise import noised
from ..restorer import LatentRestorer
from ..scores import FakeConfig, FakeScore, Scores, flow_of
from ..teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class GuidanceConfig:
    """Guidance w, uniform from `low` to `high`, and the file of the embedded negative prompt."""

    low: float = 1.0
    high: float = 1.0
    negative: str | None = field(default=None, metadata=NOT_RECORDED)

    def __post_init__(self) -> None:
        if not 1 <= self.low <= self.high:
            raise ValueError(f"guidance is from {self.low} to {self.high}, needed 1 <= low <= high")
        if self.high > 1 and self.negative is None:
            raise ValueError(
                f"guidance is up to {self.high} without a negative prompt, from which it leads away: give the file of "
                "one as dmd.guidance.negative (vfe embed-prompt), or leave guidance out"
            )


@dataclass(frozen=True, kw_only=True)
class TransportConfig:
    """The weight of g_t, and Sinkhorn's regularisation and iterations."""

    weight: float = 0.1
    epsilon: float = 0.05
    iterations: int = 20

    def __post_init__(self) -> None:
        if self.weight <= 0 or self.epsilon <= 0 or self.iterations < 1:
            raise ValueError(
                f"transport has weight={self.weight}, epsilon={self.epsilon}, iterations={self.iterations}, needed "
                "above 0, above 0, 1 or more"
            )


@dataclass(frozen=True, kw_only=True)
class LowNoiseConfig:
    """Below which tau pixels are compared, and their weight."""

    split: float = 0.5
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.split < 1 or self.weight <= 0:
            raise ValueError(f"low_noise has split={self.split}, weight={self.weight}, needed in (0, 1), above 0")


@dataclass(frozen=True, kw_only=True)
class DmdConfig:
    """Weight of the loss, the fake model, how tau is drawn, and the switches."""

    weight: float = 1.0
    tau: TauConfig = field(default_factory=TauConfig)
    fake: FakeConfig = field(default_factory=FakeConfig)
    vsd: bool = False
    guidance: GuidanceConfig = field(default_factory=GuidanceConfig)
    transport: TransportConfig | None = None
    low_noise: LowNoiseConfig | None = None

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(f"dmd.weight={self.weight}, needed above 0")


class DmdTerm(Addition):
    """The terms of DMD; the fake model is trained after the student."""

    def __init__(self, config: DmdConfig, student: LatentRestorer, teacher: Teacher, checkpointing: bool) -> None:
        """Raises ValueError for a teacher that is no flow model of the student's latents, VFEError for a negative
        prompt that does not fit it."""
        super().__init__()
        flow = flow_of(teacher, student, "dmd")
        self.config = config
        self._scores = Scores(flow, config.fake.lora, strong=1.0, weak=0.0, checkpointing=checkpointing)
        self.others = (FakeScore(self._scores, student, config.fake, config.tau),)
        self._negative: Tensor | None = None
        if config.guidance.high > 1:
            assert config.guidance.negative is not None
            negative = read_prompt_embedding(Path(config.guidance.negative), flow.dit.config.text_dim)
            self._negative = negative.to(flow.prompt_embedding)

    def rests(self, step: int) -> bool:
        return self.config.fake.student_rests(step)

    def forward(self, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:
        config, x = self.config, z_hq.detach()
        tau = config.tau.of(draw.uniform(len(x))).to(x.device)
        fake, real = self._estimates(noised(x, tau, draw.noise(x)), tau, draw)
        with full_precision(x.device):
            g = self._direction(x, fake, real, tau)
            if config.low_noise is None:
                return {"dmd": config.weight * matching_loss(z_hq, g)}
            low = tau < config.low_noise.split
            terms = {"dmd": config.weight * matching_loss(z_hq, g.masked_fill(per_clip(low), 0))}
            return terms | pixel_term(config.low_noise.weight, student, batch, z_hq, low & batch.paired)

    def _estimates(self, x_tau: Tensor, tau: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """x0(fake) and x0(real), guided by one number of the step where there is a negative prompt."""
        fake, real = self._scores.fake(x_tau, tau), self._scores.real(x_tau, tau)
        if self._negative is None:
            return fake, real
        low, high = self.config.guidance.low, self.config.guidance.high
        guidance = low + (high - low) * draw.common()
        away = (of(x_tau, tau, self._negative) for of in (self._scores.fake, self._scores.real))
        return guided(fake, next(away), guidance), guided(real, next(away), guidance)

    def _direction(self, x: Tensor, fake: Tensor, real: Tensor, tau: Tensor) -> Tensor:
        config = self.config
        scale = per_clip(tau) if config.vsd else distance_to(x, real)
        g = direction(fake - real, scale)
        if config.transport is None:
            return g
        aims = transported(fake, real, config.transport.epsilon, config.transport.iterations)
        return g + config.transport.weight * direction(fake - aims, scale)


def pixel_term(
    weight: float, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, chosen: Tensor
) -> dict[str, Tensor]:
    """The error of the pixels of chosen clips (B,), as a mean over the batch; none where no clip is chosen."""
    if not bool(chosen.any()):
        return {}
    error = penalise(student.codec.decode(z_hq[chosen]) - batch.clean[chosen], "charbonnier")
    return {"low_noise": weight * chosen.float().mean() * error.mean()}
