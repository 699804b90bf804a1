"""Severity distillation: the teacher restores a milder twin of the clip that the student restores (YONOS-SR).

    L = w mean |x_S - sg(x_T)|,  x_S = student(z_harder),  x_T = teacher(z_milder)

Both twins are of one crop and one draw of the degradation, at two shares of its severity (vfe.degradations, `milder`).
A round trains a student at `harder`; the next takes it as the teacher and goes further. Afterwards the decoder alone is
tuned (method `decoder`), where it has weights. The scheme is the paper's, of whose text we had the abstract alone;
Charbonnier's penalty, w = 0.5 beside L_task and what a share of a severity means are our own choices. Footage without a
clean twin has no milder twin either, and adds nothing.

z latent (B, C, t, h, w).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ...losses.terms import penalise
from ...run.stage import Draw, full_precision
from ..batch import DistillBatch, pairs_of
from ..clips import Severities
from ..method import Addition
from ..restorer import LatentRestorer
from ..teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class SeverityConfig:
    """The two severities, as shares of what the run's degradation draws, and the weight w."""

    milder: float = 0.5
    """What the teacher is shown; 0 is the clean clip."""
    harder: float = 1.0
    """What the student is shown."""
    weight: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.milder < self.harder <= 1:
            raise ValueError(f"severity has milder={self.milder}, harder={self.harder}: needed rising from 0 to 1")
        if self.weight <= 0:
            raise ValueError(f"severity.weight={self.weight}, needed above 0")

    @property
    def twins(self) -> Severities:
        """The severities of the twins of a clip."""
        return Severities(self.milder, self.harder)


class SeverityTerm(Addition):
    """The distance of the student's latents from what the teacher makes of the milder twins."""

    def __init__(self, config: SeverityConfig, teacher: Teacher) -> None:
        """Raises ValueError for a teacher that neither restores nor is the clean clips."""
        super().__init__()
        if teacher.config.kind == "flow":
            raise ValueError("teacher.kind is flow: method severity learns from a restorer or from the ground truth")
        self.config, self.teacher = config, teacher

    def forward(self, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:  # noqa: ARG002
        pairs, restored, share = pairs_of(batch, z_hq)
        if share == 0:
            return {}
        wanted = self.teacher.restored(milder_twins(pairs, student), student)
        return {"severity": share * self.config.weight * penalise(restored - wanted, "charbonnier").mean()}


def milder_twins(batch: DistillBatch, student: LatentRestorer) -> DistillBatch:
    """The batch with the milder twins in the place of the degraded clips. Raises ValueError where it has none."""
    if batch.milder is None:
        raise ValueError("the batch has no milder twins, needed for method severity: load it by DistillClips")
    with full_precision(batch.milder.device):
        return batch._replace(z_lq=student.codec.encode(batch.milder), degraded=batch.milder)
