"""The two flow models of distribution matching: a real one, which knows clean latents, and a fake one, which follows
the student.

Both are one frozen flow model with one LoRA at two scales: fake = W + strong B A, real = W + weak B A, and weak = 0 in
DMD with a LoRA, where the real one is the flow model itself. The fake one learns in every step, the student in each
`ratio`-th, as in the code of Self-Forcing.

B clips; x latent (B, C, t, h, w); tau (B,) in (0, 1).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from vfe.models.flow import TRAIN_TIMESTEPS

from ..one_step import OneStepDiT
from ..run.stage import Draw, StepOutput, TrainableModule, full_precision
from ..wan.lora import LoraConfig
from .batch import DistillBatch
from .lora_sets import LoraSets
from .matching import TauConfig, flow_loss
from .noise import noised
from .restorer import LatentRestorer
from .shared_weights import share_frozen
from .teacher import Teacher

FAKE = "fake"
"""The name of the LoRA set."""


@dataclass(frozen=True, kw_only=True)
class FakeConfig:
    """The fake model's LoRA, and how it learns beside the student."""

    lora: LoraConfig = field(default_factory=LoraConfig)
    rate: float = 1.0
    """The factor by which it multiplies the run's learning rate."""
    ratio: int = 5
    """Its steps to one of the student: the student rests in all others."""

    def __post_init__(self) -> None:
        if self.lora.init is not None:
            raise ValueError("fake.lora.init is given: the fake model begins as the real one; leave it out")
        if self.rate <= 0 or self.ratio < 1:
            raise ValueError(f"fake has rate={self.rate}, ratio={self.ratio}, needed above 0 and 1 or more")

    def student_rests(self, step: int) -> bool:
        """Whether the fake model alone learns in this step."""
        return step % self.ratio != 0


def flow_of(teacher: Teacher, student: LatentRestorer, method: str) -> OneStepDiT:
    """The teacher as a flow model of the student's latents; weights that are frozen in both are kept once.

    Raises ValueError where it is none.
    """
    if teacher.net is None or teacher.config.kind != "flow":
        raise ValueError(f"teacher.kind is {teacher.config.kind}: method {method} needs a flow model of clean latents")
    if not teacher.net.codec.same_latents(student.codec):
        raise ValueError(
            f"the flow model is of other latents than the student's, and method {method} compares both: take one that "
            "stage score trained on the student's file"
        )
    share_frozen(student.model.dit, teacher.net.model.dit)
    return teacher.net.model


class Scores:
    """Real and fake flow model on one backbone. It is no module: `FakeScore` trains the LoRA."""

    def __init__(self, flow: OneStepDiT, lora: LoraConfig, strong: float, weak: float, checkpointing: bool) -> None:
        self.flow, self.strong, self.weak = flow, strong, weak
        self.sets = LoraSets(flow.dit, {FAKE: lora}, checkpointing)

    @torch.no_grad()
    def real(self, x_tau: Tensor, tau: Tensor, prompt: Tensor | None = None) -> Tensor:
        """x0 of the real model, for the flow model's own prompt where no other is given."""
        with self.sets.scaled(fake=self.weak):
            return self.flow.denoised(x_tau, tau, prompt)

    @torch.no_grad()
    def fake(self, x_tau: Tensor, tau: Tensor, prompt: Tensor | None = None) -> Tensor:
        """x0 of the fake model."""
        with self.sets.scaled(fake=self.strong):
            return self.flow.denoised(x_tau, tau, prompt)

    def fake_velocity(self, x_tau: Tensor, tau: Tensor) -> Tensor:
        """The velocity of the fake model in float32, with gradients to the LoRA."""
        with self.sets.scaled(fake=self.strong):
            return self.flow.velocity(x_tau, TRAIN_TIMESTEPS * tau).float()


class FakeScore(TrainableModule):
    """The LoRA with L_fake on what the student makes of the batch: flow matching through the strong branch."""

    def __init__(self, scores: Scores, student: LatentRestorer, config: FakeConfig, tau: TauConfig) -> None:
        super().__init__()
        self.factors = scores.sets.factors(FAKE)
        self.config, self.tau = config, tau
        self._scores, self._student = scores, (student,)  # in a tuple: another module trains it

    def rate_of(self, name: str) -> float:  # noqa: ARG002 - one for all of it
        return self.config.rate

    def forward(self, batch: DistillBatch, draw: Draw) -> StepOutput:
        with torch.no_grad():
            x = self._student[0](batch.z_lq)
        tau, noise = self.tau.of(draw.uniform(len(x))).to(x.device), draw.noise(x)
        velocity = self._scores.fake_velocity(noised(x, tau, noise), tau)
        with full_precision(x.device):
            return StepOutput({"fake": flow_loss(velocity, x, noise)})
