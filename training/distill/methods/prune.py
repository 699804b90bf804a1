"""Pruning: one block learns what an interval of its teacher's blocks does (PPCL, Ma et al. 2025, arXiv 2511.16156).

The student is its teacher with intervals [i, j] of blocks replaced by one block b, copied from block i. One pass of the
teacher gives the tokens h_T before i and after j:

    L = w_t mse(b(h_T before i), h_T after j)    teacher-fed: each interval learns alone
      + w_s mse(b(h_S before i), h_T after j)    student-fed: h_S, what the student's blocks before it make

By the authors' code only the blocks b are trained. h_S is of the student's own pass, whose other blocks are the
teacher's, and so is also what L_task is of. Our own: each mse is divided by the variance of what is wanted, so that
weights mean the same at any depth and size; L_task beside it; the narrower feed-forwards (training/distill/shorter.py),
with which every block is one that learns; and training all weights instead.

B batch, L tokens, D width; z latent (B, C, t, h, w).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ...run.stage import Draw, StepOutput, full_precision
from ..batch import DistillBatch
from ..block_passes import BlockPass, recorded
from ..intervals import Interval, check_intervals
from ..method import Addition, StudentWithLoss
from ..restorer import LatentRestorer
from ..shorter import kept_blocks, shorter_dit
from ..task import TaskLoss
from ..teacher import Teacher

FLAT = 1e-8  # added to a variance that is divided by


@dataclass(frozen=True, kw_only=True)
class PruneConfig:
    """What is pruned, and how the blocks learn that are left."""

    intervals: tuple[tuple[int, int], ...] = ()
    """The first and last block of each interval, as `python -m training.distill.find_intervals` finds them."""
    ffn_dim: int | None = None
    """The width of all feed-forwards; None leaves them as they are."""
    trains: Literal["pruned", "all"] = "pruned"
    """Which weights are trained: the blocks that stand for others, as the paper has it, or all of the student's."""
    teacher_fed: float = 1.0
    """The weight w_t."""
    student_fed: float = 1.0
    """The weight w_s."""

    def __post_init__(self) -> None:
        check_intervals(self.chosen)
        if not self.intervals and self.ffn_dim is None:
            raise ValueError("prune has neither intervals nor ffn_dim: give one of them, or nothing is pruned")
        if self.trains not in ("pruned", "all"):
            raise ValueError(f"prune.trains is {self.trains!r}, needed pruned or all")
        if min(self.teacher_fed, self.student_fed) < 0 or self.teacher_fed + self.student_fed == 0:
            raise ValueError(
                f"prune.teacher_fed={self.teacher_fed}, student_fed={self.student_fed}, needed 0 or more, not both 0"
            )

    @property
    def chosen(self) -> tuple[Interval, ...]:
        """The intervals."""
        return tuple(Interval(*pair) for pair in self.intervals)


@dataclass(frozen=True)
class Pruning:
    """A student that has been pruned, and whom its blocks learn from."""

    config: PruneConfig
    teacher: LatentRestorer
    stands_for: dict[int, Interval]
    """The teacher's blocks that a block of the student learns to stand for, by its number."""


def prune(config: PruneConfig, student: LatentRestorer, teacher: Teacher) -> Pruning:
    """Prune a student, in place, and freeze what of it is not trained.

    Raises ValueError where the teacher is not of the student's size, or the student is trained as a LoRA.
    """
    restorer, dit = teacher.net, student.model.dit
    if (
        teacher.config.kind != "restorer"
        or restorer is None
        or restorer.model.dit.config != dit.config
        or not restorer.codec.same_latents(student.codec)
    ):
        raise ValueError("method prune learns from a restorer of the student's size: give both the same files")
    if any(".lora_" in name for name, _ in dit.named_parameters()):
        raise ValueError("method prune trains whole blocks: leave out student.wan.lora")
    kept = kept_blocks(dit.config, config.chosen)
    short = shorter_dit(dit, config.chosen, config.ffn_dim)
    student.use_dit(short)
    narrower = config.ffn_dim is not None
    stands_for = {number: part for number, part in enumerate(kept) if narrower or part.length > 1}
    if config.trains == "pruned":
        student.requires_grad_(False)
        for number in stands_for:
            short.blocks[number].requires_grad_(True)
    return Pruning(config, restorer, stands_for)


class PrunedStudent(StudentWithLoss):
    """A pruned student with L_task, and the losses of the blocks that stand for others."""

    def __init__(self, pruning: Pruning, student: LatentRestorer, task: TaskLoss, extras: list[Addition]) -> None:
        super().__init__(student, task, extras)
        self.config, self._stands_for = pruning.config, pruning.stands_for
        self._teacher = (pruning.teacher,)  # in a tuple: nothing of it is trained

    def forward(self, batch: DistillBatch, draw: Draw) -> StepOutput:
        with recorded(self._blocks, self._stands_for) as own:
            z_hq, hidden = self._restored(batch.z_lq)
        return StepOutput(self._terms(batch, z_hq, hidden, draw) | self._block_terms(batch, own))

    def _block_terms(self, batch: DistillBatch, own: dict[int, BlockPass]) -> dict[str, Tensor]:
        taught = self._taught(batch)
        fed_by_teacher, fed_by_student = [], []
        for number, interval in self._stands_for.items():
            wanted = taught[interval.last].output
            fed_by_student.append(relative_error(own[number].output, wanted))
            if self.config.teacher_fed:
                alone = self._blocks[number](taught[interval.first].tokens, *own[number].rest)
                fed_by_teacher.append(relative_error(alone, wanted))
        terms = {"student_fed": self.config.student_fed * torch.stack(fed_by_student).sum()}
        if fed_by_teacher:
            terms["teacher_fed"] = self.config.teacher_fed * torch.stack(fed_by_teacher).sum()
        return terms

    @torch.no_grad()
    def _taught(self, batch: DistillBatch) -> dict[int, BlockPass]:
        """The passes of the teacher's first and last block of each interval."""
        teacher = self._teacher[0]
        ends = {index for interval in self._stands_for.values() for index in interval}
        with recorded(teacher.model.dit.blocks, ends) as taught:
            teacher(batch.z_lq)
        return taught

    @property
    def _blocks(self) -> nn.ModuleList:
        return self.student.model.dit.blocks


def relative_error(tokens: Tensor, wanted: Tensor) -> Tensor:
    """1 - R2 of tokens (B, L, D), as a mean over the clips."""
    with full_precision(tokens.device):
        wanted = wanted.float()
        spread = (wanted - wanted.mean(1, keepdim=True)).square().mean((1, 2))
        return ((tokens.float() - wanted).square().mean((1, 2)) / (spread + FLAT)).mean()
