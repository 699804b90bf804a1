"""Output distillation: the student makes of a degraded clip what the teacher makes of it (SSLD, Cui et al. 2021).

    L = w mean |x_S - sg(x_T)|,  x_S = student(z_lq),  x_T = teacher(z_lq)

The mean is over latents and by Charbonnier's penalty, our own choice, as is its place beside L_task. No clean clip is
needed: real footage counts as much as pairs.

z latent (B, C, t, h, w).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ...losses.terms import penalise
from ...run.stage import Draw
from ..batch import DistillBatch
from ..method import Addition
from ..restorer import LatentRestorer
from ..teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class OutputConfig:
    """The weight w of the term."""

    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(f"output.weight={self.weight}, needed above 0")


class OutputTerm(Addition):
    """The distance of the student's latents from the teacher's."""

    def __init__(self, config: OutputConfig, teacher: Teacher) -> None:
        """Raises ValueError for a teacher that does not restore."""
        super().__init__()
        if teacher.config.kind != "restorer":
            raise ValueError(f"teacher.kind is {teacher.config.kind}: method output learns from a restorer")
        self.config, self.teacher = config, teacher

    def forward(self, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:  # noqa: ARG002
        wanted = self.teacher.restored(batch, student)
        return {"output": self.config.weight * penalise(z_hq - wanted, "charbonnier").mean()}
