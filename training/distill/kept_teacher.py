"""A teacher whose restored latents are kept in files: what a clip costs it is paid once.

B batch, T H W frames; z latent (B, C, t, h, w).
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ..data.kept_tensors import KeptTensors, file_hash, hash_of
from ..run.recorded import NOT_RECORDED
from ..wan.latent_cache import DTYPES
from .batch import DistillBatch, chosen
from .restorer import LatentRestorer, RestorerConfig
from .teacher import Teacher, TeacherConfig

RESTORED_FORMAT = "vfe-restored-1"
"""A number to be raised when the making of these latents changes: older files are then not found."""


@dataclass(frozen=True, kw_only=True)
class KeptConfig:
    """Train on a fixed number of `clips`, and keep what the teacher makes of them in `folder`."""

    folder: str = field(metadata=NOT_RECORDED)
    clips: int = 2000
    dtype: Literal["fp32", "bf16", "fp16"] = "bf16"
    """The number format of the latents, to which they are rounded when they are made too."""

    def __post_init__(self) -> None:
        if self.clips < 1 or self.dtype not in DTYPES:
            raise ValueError(f"kept has clips={self.clips}, dtype={self.dtype!r}; needed >= 1, {list(DTYPES)}")


@dataclass(frozen=True)
class Computing:
    """Where and how a teacher computes: `half` is the number format of its codec."""

    device: torch.device
    half: bool


class KeptTeacher(Teacher):
    """A restorer whose latents are named by the hash of the clip itself, of the files of both models, and of how it
    computes: whatever makes the clips, a file is found for the same clip alone."""

    def __init__(self, teacher: TeacherConfig, student: RestorerConfig, computing: Computing, kept: KeptConfig) -> None:
        """Raises VFEError or ValueError as `Teacher` does."""
        super().__init__(teacher, computing.device, computing.half)
        self.files = KeptTensors(Path(kept.folder), RESTORED_FORMAT)
        self.dtype = DTYPES[kept.dtype]
        self._facts = {
            "format": RESTORED_FORMAT,
            "dtype": kept.dtype,
            "teacher": restorer_facts(RestorerConfig(lite=teacher.lite, wan=teacher.wan)),
            "student": restorer_facts(student),
            "half": computing.half,
            "device": computing.device.type,
        }

    def compute(self, batch: DistillBatch, student: LatentRestorer) -> Tensor:
        """As `Teacher` has it, rounded; each clip is restored alone, so that those beside it change no bit."""
        clips = (chosen(batch, slice(index, index + 1)) for index in range(len(batch.z_lq)))
        return torch.cat([self._clip(clip, student) for clip in clips])

    def _clip(self, clip: DistillBatch, student: LatentRestorer) -> Tensor:
        key = hash_of({**self._facts, "clip": _clip_hash(clip.degraded)})
        if key in self.files:
            return self.files.read(key)["restored"].to(clip.z_lq.device).float()
        restored = super().compute(clip, student).to(self.dtype)
        self.files.write(key, {"restored": restored.cpu()})
        return restored.float()


def restorer_facts(config: RestorerConfig) -> dict[str, object]:
    """What a restorer's latents depend on, as plain values: hashes of its files, and its flow."""
    if config.wan is None:
        assert config.lite is not None
        return {"lite": file_hash(Path(config.lite))}
    wan = config.wan
    lora = None if wan.lora is None or wan.lora.init is None else file_hash(Path(wan.lora.init))
    files = {name: file_hash(Path(path)) for name, path in (("dit", wan.dit), ("vae", wan.vae), ("ctx", wan.context))}
    return {**files, "lora": lora, "flow": asdict(wan.flow)}


def _clip_hash(video: Tensor) -> str:
    """SHA-256 of a clip (1, 3, T, H, W) in [-1, 1], by its 8-bit levels."""
    levels = ((video + 1) * 127.5).round().byte().cpu()
    return hashlib.sha256(f"{tuple(levels.shape)}".encode() + levels.numpy().tobytes()).hexdigest()
