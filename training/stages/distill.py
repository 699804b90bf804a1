"""Distillation: a restorer learns from another, from a flow model or from clean clips, by one of several methods.

B batch, T H W frames, t h w latent grid; z latent (B, C, t, h, w); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from ..data.clips import FaceClips, to_batch
from ..data.dev_set import MEASURES, evaluate, write_samples
from ..distill.batch import DistillBatch
from ..distill.build import ExtrasConfig, MethodConfig, Parts, distillation
from ..distill.clips import DistillClips
from ..distill.kept_clips import KeptClips
from ..distill.kept_teacher import Computing, KeptConfig, KeptTeacher
from ..distill.real_clips import RealConfig
from ..distill.restorer import RestorerConfig, load_restorer
from ..distill.task import TaskLoss
from ..distill.teacher import Teacher, TeacherConfig
from ..losses.perceptual import PerceptualConfig, choose_dists
from ..losses.terms import LossConfig
from ..run.best import BY_PSNR, WITH_PERCEPTION
from ..run.recorded import NOT_RECORDED
from ..run.stage import Slots, full_precision
from .clips import ClipRunConfig, ClipStage


@dataclass(frozen=True, kw_only=True)
class DistillConfig(ClipRunConfig):
    """A run of distillation: who learns, from whom, by which method, and what else counts."""

    student: RestorerConfig
    teacher: TeacherConfig
    method: MethodConfig
    extras: ExtrasConfig = field(default_factory=ExtrasConfig)
    task: LossConfig = field(default_factory=LossConfig)
    """L_task, which stays on beside the method's loss."""
    real: RealConfig | None = None
    """Footage without clean twins beside the pairs, for a share of each batch."""
    kept: KeptConfig | None = None
    """A fixed number of clips, of which what the teacher makes is kept in files; None: new clips without end."""
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig, metadata=NOT_RECORDED)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compile:
            raise ValueError("compile=true is not for this stage; leave it out")
        if self.kept is not None and not (self.method.can_keep and self.teacher.kind == "restorer"):
            raise ValueError("kept is for the methods output and severity with a restorer as the teacher; leave it out")


class DistillStage(ClipStage):
    """A student on face clips, scored by gains over the degraded dev clips, with whatever its method trains beside."""

    def __init__(self, config: DistillConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.config = config
        half = device.type == "cuda" and config.precision != "no"
        self.student = load_restorer(config.student, config.checkpointing)
        self.student.prepare(device, half)
        perceptual = choose_dists(config.perceptual) if config.task.dists or config.method.dists else None
        self.notes = (perceptual.line,) if perceptual else ()
        self._distance = perceptual.loss if perceptual else None
        names = MEASURES if perceptual is None else (*MEASURES, "perceptual_gain")
        self.choose_best(names, BY_PSNR if perceptual is None else WITH_PERCEPTION)
        task = TaskLoss(config.task, self.student.codec, self._distance)
        teacher = _teacher(config, Computing(device, half))
        parts = Parts(self.student, task, teacher, config.data, config.seed, self._distance, config.checkpointing)
        distilled = distillation(config.method, config.extras, parts)
        self.trainables, self.result = distilled.trainables, distilled.result

    def clips(self, start: int, slots: Slots) -> IterableDataset[Any]:
        config = self.config
        pairs = FaceClips(config.data, config.degradations, config.seed, start, slots)
        clips = DistillClips(pairs, config.real, config.method.twins)
        return KeptClips(clips, config.kept.clips) if config.kept else clips

    def to_batch(self, raw: tuple[Tensor, ...]) -> DistillBatch:  # type: ignore[override]
        degraded, clean, mask = to_batch(*raw[:3])
        with full_precision(degraded.device):
            z_lq, z_hq = (self.student.codec.encode(video) for video in (degraded, clean))
        milder = to_batch(raw[4], raw[1], raw[2]).degraded if len(raw) > 4 else None
        return DistillBatch(z_lq, z_hq, degraded, clean, mask.unsqueeze(1), raw[3], milder)

    def evaluate(self) -> dict[str, float]:
        if self.dev is None:
            return {}
        restore = self.result.restore_video
        return self.scored(evaluate(restore, self.dev, self.device, self.config.precision, self._distance))

    def samples(self, folder: Path) -> None:
        if self.dev is not None:
            write_samples(self.result.restore_video, self.dev, folder, self.device, self.config.precision)

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        self.result.export(path, facts | self.data_facts() | self.result.facts)


def _teacher(config: DistillConfig, computing: Computing) -> Teacher:
    if config.kept is not None:
        return KeptTeacher(config.teacher, config.student, computing, config.kept)
    return Teacher(config.teacher, computing.device, computing.half)
