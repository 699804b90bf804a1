"""What a method of distillation is to the stage: additions to the student's loss, or a training of its own.

B batch, C channels, t h w latent grid; z latent (B, C, t, h, w).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ..run.stage import Draw, StepOutput, TrainableModule
from .batch import DistillBatch
from .restorer import LatentRestorer
from .task import TaskLoss


class Addition(nn.Module):
    """Terms beside L_task: what most methods are, and all extras.

    Its own parameters, such as projections of features, are trained with the student and dropped at export. Networks
    with a turn of their own, such as a fake score or a critic, are in `others`, and not its submodules.
    """

    others: tuple[TrainableModule, ...] = ()
    """Trained after the student in each step, on the same batch."""

    def rests(self, step: int) -> bool:  # noqa: ARG002 - for subclasses
        """Whether the student rests in this step, as while a fake score catches up with it."""
        return False

    def forward(self, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:
        """The weighted terms of the student's z_hq: each a mean over the clips of the batch."""
        raise NotImplementedError


class StudentWithLoss(TrainableModule):
    """The student with L = L_task + what the additions add."""

    def __init__(self, student: LatentRestorer, task: TaskLoss, additions: Sequence[Addition]) -> None:
        super().__init__()
        self.student, self.task = student, task
        self.additions = nn.ModuleList(additions)

    def rests(self, step: int) -> bool:
        return any(addition.rests(step) for addition in self._additions)

    def forward(self, batch: DistillBatch, draw: Draw) -> StepOutput:
        z_hq = self.student(batch.z_lq)
        terms = self.task(batch, z_hq, draw)
        for addition in self._additions:
            terms |= addition(self.student, batch, z_hq, draw)
        return StepOutput(terms)

    @property
    def _additions(self) -> list[Addition]:
        return [addition for addition in self.additions if isinstance(addition, Addition)]


@dataclass(frozen=True)
class Distillation:
    """What a method makes of a student: what is trained, the result first, and the restorer that comes of it."""

    trainables: tuple[TrainableModule, ...]
    result: LatentRestorer
    """What is scored and exported; it shares the trained weights."""


def with_additions(student: LatentRestorer, task: TaskLoss, additions: Sequence[Addition]) -> Distillation:
    """The distillation of methods that are additions: the student, and then all others that they train."""
    others = [module for addition in additions for module in addition.others]
    return Distillation((StudentWithLoss(student, task, additions), *others), student)
