"""Head steps: a DiT whose last blocks may run n times, for a quality that is chosen when it is used (TMD, abstract).

    L = w mean |z_n - sg(z_T)|,  n drawn of 2 .. most

z_n is what n steps of the last k blocks give (vfe/models/dit/head_steps.py), z_T what the teacher restores, or the
clean latent. The rolled-out head is the paper's, which distils by matching distributions; the distance (Charbonnier's)
from a teacher's result is our own, as is that the single step is held by L_task. One n serves all of a batch.

z latent (B, C, t, h, w).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vfe.models.dit.head_steps import HeadRoll, HeadSteps, rolled

from ...losses.terms import penalise
from ...run.stage import Draw, full_precision
from ..batch import DistillBatch, pairs_of
from ..method import Addition
from ..restorer import LatentRestorer
from ..teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class HeadStepsConfig:
    """The number k of the last blocks, the most steps of them, and the weight w."""

    blocks: int = 3
    most: int = 4
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(f"head_steps.weight={self.weight}, needed above 0")
        _ = self.trained

    @property
    def trained(self) -> HeadSteps:
        """What a file says that its model was trained for; ValueError where that makes no sense."""
        return HeadSteps(blocks=self.blocks, most=self.most)


class HeadStepsTerm(Addition):
    """The distance of what several steps give from what is wanted."""

    def __init__(self, config: HeadStepsConfig, student: LatentRestorer, teacher: Teacher) -> None:
        """Raises ValueError for a teacher that does not restore, or more blocks than the student has."""
        super().__init__()
        layers = student.model.dit.config.layers
        if config.blocks > layers:
            raise ValueError(f"head_steps.blocks={config.blocks}, needed at most {layers}, those of the student")
        if teacher.config.kind == "flow":
            raise ValueError("teacher.kind is flow: method head_steps learns from a restorer or ground_truth")
        self.config, self.teacher = config, teacher
        student.facts["head_steps"] = vars(config.trained)

    def forward(self, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:
        steps = 2 + int(draw.common() * (self.config.most - 1))
        share = 1.0
        if self.teacher.config.kind == "ground_truth":
            batch, _, share = pairs_of(batch, z_hq)
            if share == 0:
                return {}
        wanted = self.teacher.restored(batch, student)
        with rolled(student.model.dit, HeadRoll(self.config.blocks, steps, student.model.flow.step)):
            several = student(batch.z_lq)
        with full_precision(several.device):
            error = penalise(several - wanted, "charbonnier").mean()
        return {"head_steps": share * self.config.weight * error}
