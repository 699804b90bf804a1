"""ASD, adversarial self-distillation (arXiv 2511.01419): what one step gives is to look like what two steps give.

    x_1 = z_lq - s F(z_lq, t*)
    z_1/2 = z_lq - s/2 F(z_lq, t*),  x_2 = z_1/2 - s/2 F(z_1/2, t*/2)
    L_G = softplus(-D(x_1)),  L_D = softplus(-D(sg x_2)) + softplus(D(sg x_1))

From the abstract: a critic aligns the results of n and of n + 1 steps of the student itself, beside distribution
matching. Ours: the halves of the one step, and a critic of latents. The student is trained at t* alone unless its
method trains other timesteps too (`twin`, `dmd` with a flow model): without that the second half step starts untrained,
and is of use only as far as the network carries over from t* to t*/2.

B clips; z latent (B, C, t, h, w).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vfe.models.flow import OneStepFlow

from ...losses.adversarial import discriminator_loss, generator_loss, logits_for_generator
from ...run.stage import Draw, StepOutput, TrainableModule, full_precision
from ..batch import DistillBatch
from ..critics import LatentCritic, LatentCriticConfig
from ..method import Addition
from ..restorer import LatentRestorer


def one_and_two_steps(
    velocity: Callable[[Tensor, float], Tensor], flow: OneStepFlow, z_lq: Tensor
) -> tuple[Tensor, Tensor]:
    """x_1, with its gradient, and x_2 without one; they share the velocity at t*, which is computed once."""
    first = velocity(z_lq, flow.timestep).float()
    return flow.restore(z_lq, first), second_step(velocity, flow, z_lq, first)


@torch.no_grad()
def second_step(velocity: Callable[[Tensor, float], Tensor], flow: OneStepFlow, z_lq: Tensor, first: Tensor) -> Tensor:
    """x_2 for the velocity `first` at t*: half of the step along it, and half along the velocity found there."""
    halfway = flow.restore(z_lq, first, strength=0.5)
    return flow.restore(halfway, velocity(halfway, flow.timestep / 2).float(), strength=0.5)


@dataclass(frozen=True, kw_only=True)
class SelfAdversarialConfig:
    """The critic's weight in the student's loss, its sizes, and how fast it learns."""

    weight: float = 0.03
    critic: LatentCriticConfig = field(default_factory=LatentCriticConfig)
    rate: float = 1.0
    """The factor by which the critic multiplies the run's learning rate."""

    def __post_init__(self) -> None:
        if self.weight <= 0 or self.rate <= 0:
            raise ValueError(f"self_adversarial has weight={self.weight} and rate={self.rate}, needed above 0 each")


class SelfCritic(TrainableModule):
    """The critic with its loss: the student's two steps from this batch against its one step."""

    def __init__(self, config: SelfAdversarialConfig, student: LatentRestorer) -> None:
        super().__init__()
        self.config = config
        self.net = LatentCritic(student.model.dit.config.in_channels, config.critic)
        self._student = (student,)  # another module trains it: no submodule of this one

    def rate_of(self, name: str) -> float:  # noqa: ARG002 - one for all of it
        return self.config.rate

    def forward(self, batch: DistillBatch, draw: Draw) -> StepOutput:  # noqa: ARG002
        model = self._student[0].model
        self._student[0].see(batch.degraded)
        with torch.no_grad():
            one, two = one_and_two_steps(model.velocity, model.flow, batch.z_lq)
        with full_precision(one.device):
            return StepOutput({"self_critic": discriminator_loss(real=self.net(two), fake=self.net(one))})


class SelfAdversarialTerm(Addition):
    """L_G, of real footage as of pairs: no clean clip is needed."""

    def __init__(self, config: SelfAdversarialConfig, student: LatentRestorer) -> None:
        super().__init__()
        self.config = config
        self.others: tuple[SelfCritic, ...] = (SelfCritic(config, student),)

    def forward(self, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:  # noqa: ARG002
        with full_precision(z_hq.device):
            logits = logits_for_generator(self.others[0].net, z_hq)
            return {"self_adversarial": self.config.weight * generator_loss(logits)}
