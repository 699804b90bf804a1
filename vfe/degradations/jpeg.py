"""Each frame through JPEG (libjpeg, 4:2:0), whose quality may walk over the clip."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..types import VFEError
from .frames import to_frames, to_planes
from .random_walk import random_walk
from .ranges import chance, check_range, check_share, integer


@dataclass(frozen=True)
class Jpeg:
    """JPEG at `quality` of 1 to 100, which walks by up to `step` from one frame to the next."""

    quality: int
    step: float = 0.0

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:
        frames = to_frames(planes).numpy()
        qualities = random_walk(self.quality, self.step, (5, 100), len(frames), rng)
        decoded = [_round_trip(frame, round(float(quality))) for frame, quality in zip(frames, qualities, strict=True)]
        return to_planes(torch.from_numpy(np.stack(decoded)))

    def milder(self, severity: float) -> Jpeg:
        return replace(self, quality=round(100 + severity * (self.quality - 100)), step=severity * self.step)


@dataclass(frozen=True, kw_only=True)
class JpegConfig:
    """Ranges of Real-ESRGAN; `walking` is the share of clips whose quality walks (RealBasicVSR)."""

    share: float = 1.0
    quality: tuple[int, int] = (30, 95)
    walking: float = 0.5
    step: float = 3.0

    def __post_init__(self) -> None:
        check_range("quality", self.quality, 1, 100)
        check_range("step", (0.0, self.step), 0.0, 100.0)
        for name in ("share", "walking"):
            check_share(name, getattr(self, name))

    def draw(self, rng: np.random.Generator) -> Jpeg | None:
        if not chance(self.share, rng):
            return None
        return Jpeg(integer(self.quality, rng), self.step if chance(self.walking, rng) else 0.0)


def _round_trip(frame: np.ndarray, quality: int) -> np.ndarray:
    try:
        from PIL import Image  # whose libjpeg has the qualities that the published recipes mean
    except ModuleNotFoundError as error:
        raise VFEError("degrading by JPEG needs Pillow, which is not installed: pip install pillow") from error
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))
