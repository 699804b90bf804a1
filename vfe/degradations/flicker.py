"""Exposure flicker: each frame is brighter or darker than the last, as a whole and in parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .random_walk import correlated_noise
from .ranges import Range, chance, check_range, check_share, uniform

EXPOSURE_CORRELATION = 0.4  # of a frame's exposure for the one before: mostly new, a little pumping
LOCAL_CELLS = 4  # a side: places of local flicker


@dataclass(frozen=True)
class Flicker:
    """Flicker by three standard deviations: `gain` and `local` of the logarithm of brightness, `gamma` of that of the
    exponent."""

    gain: float
    gamma: float
    local: float

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:
        frames, _, height, width = planes.shape
        gain, gamma = (
            torch.from_numpy(correlated_noise(EXPOSURE_CORRELATION, (frames, 1, 1, 1), rng)) for _ in range(2)
        )
        cells = torch.from_numpy(correlated_noise(EXPOSURE_CORRELATION, (frames, 1, LOCAL_CELLS, LOCAL_CELLS), rng))
        field = F.interpolate(cells, (height, width), mode="bicubic", align_corners=False)
        bent = 255 * (planes.clamp(0, 255) / 255) ** torch.exp(self.gamma * gamma)
        return (bent * torch.exp(self.gain * gain + self.local * field)).clamp_(0, 255)

    def milder(self, severity: float) -> Flicker:
        return Flicker(severity * self.gain, severity * self.gamma, severity * self.local)


@dataclass(frozen=True, kw_only=True)
class FlickerConfig:
    """How many clips flicker, and the ranges of the three standard deviations."""

    share: float = 0.8
    gain: Range = (0.01, 0.09)
    gamma: Range = (0.0, 0.08)
    local: Range = (0.0, 0.06)

    def __post_init__(self) -> None:
        check_share("share", self.share)
        for name in ("gain", "gamma", "local"):
            check_range(name, getattr(self, name), 0.0, 1.0)

    def draw(self, rng: np.random.Generator) -> Flicker | None:
        if not chance(self.share, rng):
            return None
        return Flicker(uniform(self.gain, rng), uniform(self.gamma, rng), uniform(self.local, rng))
