"""TAD-SR (arXiv 2408.07476): scores after a little noise, and a critic that is told how much noise there is.

    L_score = |x0(x_tau, tau) - sg x0(y_tau, tau)|^2,  tau in (0, 0.25], the same noise for both
    L_G = softplus(-D(h(x_tau'), tau')),  L_D = softplus(-D(h(z_tau'), tau')) + softplus(D(h(sg x_tau'), tau'))

x the student's result, z the clean latent, x0 the estimate of a frozen flow model, which is the run's teacher, h its
tokens at some depths, tau' any noise. From the abstract: scores of the student's and the teacher's results are aligned
after a small perturbation, which leaves fine detail to be compared, and the critic uses the diffusion model and knows
the noise. Ours: y = z where the paper has what its teacher restores in many steps, the form of L_score, the range of
tau, and the heads of the critic.

B clips; z latent (B, C, t, h, w); tau (B,).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vfe.models.flow import TRAIN_TIMESTEPS

from ...losses.adversarial import generator_loss, logits_for_generator
from ...one_step import OneStepDiT, per_clip
from ...run.stage import Draw, StepOutput, TrainableModule, full_precision
from ..aims import aims_of
from ..batch import DistillBatch
from ..critics import TokenCritic
from ..method import Addition
from ..noise import check_tau, draw_tau, noised
from ..restorer import LatentRestorer
from ..teacher import Teacher

HIGHEST = 0.98
"""The most noise that the critic sees."""

Denoised = Callable[[Tensor, Tensor], Tensor]
"""x0(x_tau, tau): the estimate of the clean latent by a flow model."""


@dataclass(frozen=True, kw_only=True)
class ScoreCriticConfig:
    """Weights of the score loss and of the critic's, the bounds of tau, and what the critic looks at.

    `depths` are where its heads look: 0 before the first block of the flow model, 1 before its last.
    """

    score: float = 1.0
    adversarial: float = 0.03
    lowest: float = 0.02
    most_noise: float = 0.25
    depths: tuple[float, ...] = (0.5, 0.75, 1.0)
    width: int = 64
    rate: float = 1.0
    """The factor by which the critic multiplies the run's learning rate."""

    def __post_init__(self) -> None:
        if min(self.score, self.adversarial) < 0 or max(self.score, self.adversarial) == 0:
            raise ValueError(f"score={self.score} and adversarial={self.adversarial}, needed 0 or more and one above 0")
        check_tau(self.lowest, self.most_noise)
        if not self.depths or min(self.depths) < 0 or max(self.depths) > 1 or self.width < 1 or self.rate <= 0:
            raise ValueError(
                f"critic has depths={self.depths}, width={self.width}, rate={self.rate}, needed depths from 0 to "
                "1, the others above 0"
            )


def score_losses(denoised: Denoised, x: Tensor, y: Tensor, tau: Tensor, noise: Tensor) -> Tensor:
    """L_score of each clip (B,), with a gradient to x alone."""
    with torch.no_grad():
        aim = denoised(noised(y, tau, noise), tau)
    return (denoised(noised(x, tau, noise), tau) - aim).square().flatten(1).mean(1)


def tokens_at(model: OneStepDiT, z: Tensor, tau: Tensor, depths: Sequence[int]) -> list[Tensor]:
    """h: the tokens (B, L, D) before the blocks of `depths`, for latents with noise."""
    kept: dict[int, Tensor] = {}

    def keep(index: int, tokens: Tensor) -> Tensor:
        if index in depths:
            kept[index] = tokens
        return tokens

    model.velocity(z, TRAIN_TIMESTEPS * tau, fuse=keep)
    return [kept[depth] for depth in depths]


class ScoreCritic(TrainableModule):
    """The critic with its loss: clean latents against what the student makes of the same pairs, with the same noise."""

    def __init__(self, config: ScoreCriticConfig, flow: OneStepDiT, student: LatentRestorer) -> None:
        super().__init__()
        self.config, sizes = config, flow.dit.config
        self.depths = [round(share * (sizes.layers - 1)) for share in config.depths]
        self.net = TokenCritic(sizes.dim, len(self.depths), config.width)
        self._flow, self._student = (flow,), (student,)  # the one is frozen, another module trains the other

    def rate_of(self, name: str) -> float:  # noqa: ARG002 - one for all of it
        return self.config.rate

    def noised_tokens(self, z: Tensor, tau: Tensor, noise: Tensor) -> list[Tensor]:
        """h(z_tau) of latents, with gradients to them."""
        return tokens_at(self._flow[0], noised(z, tau, noise), tau, self.depths)

    def forward(self, batch: DistillBatch, draw: Draw) -> StepOutput:
        tau, noise = draw_tau(batch.z_lq, draw, self.config.lowest, HIGHEST), draw.noise(batch.z_lq)
        with torch.no_grad():
            self._student[0].see(batch.degraded)
            x, z = self._student[0](batch.z_lq), batch.z_hq.masked_fill(~per_clip(batch.paired), 0)
            hidden = [self.noised_tokens(each, tau, noise) for each in (z, x)]
        with full_precision(x.device):
            real, made = (self.net(tokens, tau) for tokens in hidden)
            losses = (F.softplus(-real) + F.softplus(made)).flatten(1).mean(1)
            return StepOutput({"score_critic": (losses * batch.paired).mean()})


class ScoreCriticTerms(Addition):
    """L_score of pairs, and L_G of all clips."""

    def __init__(self, config: ScoreCriticConfig, teacher: Teacher, student: LatentRestorer) -> None:
        """Raises ValueError for a teacher that is no flow model of the student's latents."""
        super().__init__()
        if teacher.config.kind != "flow" or teacher.net is None:
            raise ValueError(f"teacher.kind is {teacher.config.kind}: score_critic needs a flow model of clean latents")
        if not teacher.net.codec.same_latents(student.codec):
            raise ValueError(
                "the flow model's latents are not the student's, and score_critic compares both: train it "
                "by stage score on the student's own codec"
            )
        self.config, self.teacher = config, teacher
        self._flow = (teacher.net.model,)  # in a tuple: it is frozen
        self.others: tuple[ScoreCritic, ...] = ()
        if config.adversarial:
            self.others = (ScoreCritic(config, teacher.net.model, student),)

    def forward(self, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:
        config, terms = self.config, {}
        if config.score:
            tau, noise = draw_tau(z_hq, draw, config.lowest, config.most_noise), draw.noise(z_hq)
            aims = aims_of(self.teacher, batch, student)
            terms["score"] = config.score * aims.mean(score_losses(self._flow[0].denoised, z_hq, aims.z, tau, noise))
        for critic in self.others:
            tau, noise = draw_tau(z_hq, draw, config.lowest, HIGHEST), draw.noise(z_hq)
            hidden = critic.noised_tokens(z_hq, tau, noise)
            with full_precision(z_hq.device):
                terms["realism"] = config.adversarial * generator_loss(logits_for_generator(critic.net, hidden, tau))
        return terms
