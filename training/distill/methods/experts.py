"""Experts: a LoRA for each range of severities, chosen by what a clip is measured to suffer (MSD, Song et al. 2024).

    y   = W x + b + B_k A_k x          in each target layer; k of the clip, by thresholds of its severity
    L   = w mean |x_S - sg(x_T)|       x_T = teacher(z_lq), where a restorer teaches; nothing beside L_task otherwise

All else is frozen. Each expert so learns from its share of the clips alone, as the students of MSD (Multi-Student
Distillation, of which we have read the abstract) do from theirs. Ours: that the students are LoRAs of one network, the
measure of severity (vfe/video/severity.py), by which they are chosen in training as in use, and the loss, where the
paper matches distributions. Layers and folding are in vfe/models/dit/experts.py.

z latent (B, C, t, h, w).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vfe.models.dit.experts import EXPERT_LAYERS, ExpertSizes, add_experts
from vfe.weights.experts import ENTRY, note_of

from ...losses.terms import penalise
from ...run.stage import Draw
from ..batch import DistillBatch
from ..method import Addition
from ..restorer import LatentRestorer
from ..teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class ExpertsConfig:
    """The thresholds of severity, the LoRAs' rank and layers, and the weight w."""

    thresholds: tuple[float, ...]
    """Rising, between 0 and 1: `python -m training.distill.find_thresholds` prints some that share clips evenly."""
    rank: int = 16
    targets: tuple[str, ...] = EXPERT_LAYERS
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(f"experts.weight={self.weight}, needed above 0")
        _ = self.sizes

    @property
    def sizes(self) -> ExpertSizes:
        """What the student's layers and its file are told; ValueError where that makes no sense."""
        return ExpertSizes(thresholds=self.thresholds, rank=self.rank, targets=self.targets)


class ExpertsTerm(Addition):
    """The student's experts, and the distance of what they make from what the teacher makes."""

    def __init__(self, config: ExpertsConfig, student: LatentRestorer, teacher: Teacher) -> None:
        """Raises ValueError for a teacher that does not restore, and for a student with a LoRA."""
        super().__init__()
        if teacher.config.kind == "flow":
            raise ValueError("teacher.kind is flow: method experts learns from a restorer or ground_truth")
        dit = student.model.dit
        if any(".lora_" in name for name, _ in dit.named_parameters()):
            raise ValueError("method experts trains LoRAs of its own: leave out student.wan.lora")
        self.config, self.teacher = config, teacher
        student.requires_grad_(False)
        add_experts(dit, config.sizes)
        student.experts = config.sizes
        student.facts[ENTRY] = note_of(config.sizes)

    def forward(self, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:  # noqa: ARG002
        if self.teacher.config.kind == "ground_truth":
            return {}
        error = penalise(z_hq - self.teacher.restored(batch, student), "charbonnier")
        return {"experts": self.config.weight * error.mean()}
