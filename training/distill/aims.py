"""The latents that extras compare the student's with: its teacher's, or the clean ones where no restorer teaches.

B clips; z latent (B, C, t, h, w).
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from ..one_step import per_clip
from .batch import DistillBatch
from .restorer import LatentRestorer
from .teacher import Teacher


class Aims(NamedTuple):
    """Latents to aim at, without gradient, and which clips (B,) have one: real footage has none without a restorer."""

    z: Tensor
    there: Tensor

    def mean(self, losses: Tensor) -> Tensor:
        """The mean over the batch of losses (B,), to which clips without an aim add 0."""
        return (losses * self.there).mean()


def aims_of(teacher: Teacher, batch: DistillBatch, student: LatentRestorer) -> Aims:
    """What a restoring teacher makes of the batch, or else the clean latents of its pairs."""
    if teacher.config.kind == "restorer":
        return Aims(teacher.restored(batch, student), batch.paired.new_ones(len(batch.paired)))
    z_hq = batch.z_hq.masked_fill(~per_clip(batch.paired), 0)
    return Aims(z_hq, batch.paired)
