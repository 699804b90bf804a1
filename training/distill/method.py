"""What a method of distillation is to the stage: additions to the student's loss, or a training of its own.

B batch, C channels, t h w latent grid; z latent (B, C, t, h, w).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
    depths: Collection[int] = ()
    """The blocks before which the student's tokens are kept for it in `heard`."""
    heard: Mapping[int, Tensor] = {}
    """{block: tokens (B, L, D)} of the student's pass of this step, set before each call."""

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
        self.student.see(batch.degraded)
        return StepOutput(self._terms(batch, *self._restored(batch.z_lq), draw))

    def _terms(self, batch: DistillBatch, z_hq: Tensor, hidden: Mapping[int, Tensor], draw: Draw) -> dict[str, Tensor]:
        """L_task and the terms of the additions."""
        terms = self.task(batch, z_hq, draw)
        for addition in self._additions:
            addition.heard = {depth: hidden[depth] for depth in addition.depths}
            terms |= addition(self.student, batch, z_hq, draw)
        # Of a batch without a pair there may be nothing to learn; the loop needs a loss, and processes each gradient.
        return terms or {"nothing": 0 * z_hq.mean()}

    def _restored(self, z_lq: Tensor) -> tuple[Tensor, Mapping[int, Tensor]]:
        """z_hq, and the tokens that additions ask for."""
        depths = {depth for addition in self._additions for depth in addition.depths}
        return self.student.model.with_hidden(z_lq, depths) if depths else (self.student(z_lq), {})

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
    return beside_others(StudentWithLoss(student, task, additions), additions)


def beside_others(student: StudentWithLoss, additions: Sequence[Addition]) -> Distillation:
    """The distillation of a student, and of all others that its additions train beside it."""
    others = [module for addition in additions for module in addition.others]
    return Distillation((student, *others), student.student)
