"""What a student learns from: a restorer, a flow model of clean latents, or the clean clips themselves.

B batch, C channels, t h w latent grid; z latent (B, C, t, h, w).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from vfe.tensor_io.open import open_tensors
from vfe.types import VFEError
from vfe.weights.lite import FLOW_FORMAT
from vfe.weights.wan_dit import is_dit, read_flow

from ..lite.net import trainable_lite
from ..run.recorded import NOT_RECORDED
from ..run.stage import full_precision
from ..wan.model import WanTrainConfig
from .batch import DistillBatch
from .restorer import LatentRestorer, LiteRestorer, RestorerConfig, load_restorer

TeacherKind = Literal["restorer", "flow", "ground_truth"]


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """A teacher: its kind, and its files but where the clean clips teach."""

    kind: TeacherKind = "restorer"
    lite: str | None = field(default=None, metadata=NOT_RECORDED)
    wan: WanTrainConfig | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("restorer", "flow", "ground_truth"):
            raise ValueError(f"teacher.kind is {self.kind!r}, needed restorer, flow or ground_truth")
        has_files = self.lite is not None or self.wan is not None
        if has_files == (self.kind == "ground_truth"):
            raise ValueError(
                f"teacher.kind is {self.kind}: a restorer or flow model needs files, clean clips have none"
            )
        if self.kind == "flow" and self.wan is not None and self.wan.lora is not None:
            raise ValueError("teacher.wan.lora is given: a flow model is Wan2.1 without one; leave it out")


class Teacher:
    """A frozen teacher. It is no module: no optimizer, average or state knows of it."""

    def __init__(self, config: TeacherConfig, device: torch.device, half: bool) -> None:
        """Raises VFEError or ValueError where a file is not what it should be."""
        self.config = config
        self.net: LatentRestorer | None = None
        if config.kind != "ground_truth":
            net = _load(config)
            self.net = net.eval().requires_grad_(False).to(device)
            net.prepare(device, half)
        self._last: tuple[Tensor, Tensor] | None = None

    @torch.no_grad()
    def restored(self, batch: DistillBatch, student: LatentRestorer) -> Tensor:
        """What the teacher makes of the batch, in the student's latents; asked again of the same clips, it knows.

        Through pixels where both have latents of their own. Clean clips are known of pairs alone.
        """
        if self._last is None or self._last[0] is not batch.degraded:
            self._last = batch.degraded, self.compute(batch, student)
        return self._last[1]

    def compute(self, batch: DistillBatch, student: LatentRestorer) -> Tensor:
        """What `restored` gives, made anew."""
        if self.net is None:
            return batch.z_hq
        if self.net.codec.same_latents(student.codec):
            z_hq: Tensor = self.net(batch.z_lq)
            return z_hq
        with full_precision(batch.degraded.device):
            z_lq = self.net.codec.encode(batch.degraded)
        restored = self.net(z_lq)
        with full_precision(batch.degraded.device):
            return student.codec.encode(self.net.codec.decode(restored).clamp(-1, 1))


def _load(config: TeacherConfig) -> LatentRestorer:
    """The network of a teacher that has files. Raises VFEError where they are of another kind of teacher."""
    if config.kind == "flow" and config.lite is not None:
        return LiteRestorer(trainable_lite(Path(config.lite), FLOW_FORMAT))
    if config.kind == "flow" and config.wan is not None:
        rule = read_flow(open_tensors(Path(config.wan.dit), is_dit))
        if rule is not None:
            raise VFEError(
                f"{config.wan.dit}: a restorer in one step ({rule.rule}), needed a flow model: Wan2.1-T2V as it was "
                "before anything was trained"
            )
    return load_restorer(RestorerConfig(lite=config.lite, wan=config.wan))
