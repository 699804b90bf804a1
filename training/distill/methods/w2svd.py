"""W2SVD, weak-to-strong score distillation of MagicDistillation (Shao et al. 2025, arXiv 2503.13319).

    fake = W + strong B A,  real = W + weak B A            one LoRA on the same frozen weights
    g_dmd = (x0(fake) - x0(real)) / w                      w as in matching.py
    g_reg = (x0(fake) - z_hq) / w                          the ground truth in the place of the real model
    L     = 1/2 mean |x - sg(x - g_dmd - reg g_reg)|^2

The LoRA learns by L_fake through the strong branch alone. The paper's figure gives the two scales, who is trained by
what, and a loss against ground-truth video that it calls a divergence of distributions. Our own: that this loss has the
form of g_reg, all numbers here, and that clips without a clean twin have no g_reg. The paper's adversarial loss is the
extra `score_critic`. With weak = 0 it is DMD with a LoRA; as weak comes near to strong, g_dmd goes to 0.

x, z latent (B, C, t, h, w).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from ...one_step import per_clip
from ...run.stage import Draw, full_precision
from ..batch import DistillBatch
from ..matching import TauConfig, direction, distance_to, matching_loss
from ..method import Addition
from ..noise import noised
from ..restorer import LatentRestorer
from ..scores import FakeConfig, FakeScore, Scores, flow_of
from ..teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class W2svdConfig:
    """Weight of the loss, the two scales, the weight `reg` of the ground truth's term, and the fake model."""

    weight: float = 1.0
    strong: float = 1.0
    weak: float = 0.25
    reg: float = 0.5
    tau: TauConfig = field(default_factory=TauConfig)
    fake: FakeConfig = field(default_factory=FakeConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.weak < self.strong:
            raise ValueError(
                f"w2svd has weak={self.weak}, strong={self.strong}, needed 0 <= weak < strong: with equal scales real "
                "and fake are one model, which teaches nothing"
            )
        if self.weight <= 0 or self.reg < 0:
            raise ValueError(f"w2svd has weight={self.weight}, reg={self.reg}, needed above 0, and 0 or more")


class W2svdTerm(Addition):
    """The term of W2SVD; the LoRA is trained after the student."""

    def __init__(self, config: W2svdConfig, student: LatentRestorer, teacher: Teacher, checkpointing: bool) -> None:
        """Raises ValueError for a teacher that is no flow model of the student's latents."""
        super().__init__()
        flow = flow_of(teacher, student, "w2svd")
        self.config = config
        self._scores = Scores(flow, config.fake.lora, config.strong, config.weak, checkpointing)
        self.others = (FakeScore(self._scores, student, config.fake, config.tau),)

    def rests(self, step: int) -> bool:
        return self.config.fake.student_rests(step)

    def forward(self, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:  # noqa: ARG002
        tau = self.config.tau.of(draw.uniform(len(z_hq))).to(z_hq.device)
        x_tau = noised(z_hq.detach(), tau, draw.noise(z_hq))
        fake, real = self._scores.fake(x_tau, tau), self._scores.real(x_tau, tau)
        with full_precision(z_hq.device):
            g = self._direction(z_hq.detach(), fake, real, batch)
            return {"w2svd": self.config.weight * matching_loss(z_hq, g)}

    def _direction(self, x: Tensor, fake: Tensor, real: Tensor, batch: DistillBatch) -> Tensor:
        """g_dmd + reg g_reg."""
        w = distance_to(x, real)
        g = direction(fake - real, w)
        if not self.config.reg:
            return g
        unpaired = ~per_clip(batch.paired)
        return g + self.config.reg * direction((fake - batch.z_hq).masked_fill(unpaired, 0), w)
