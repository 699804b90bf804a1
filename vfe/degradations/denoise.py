"""The noise filter of a cheap camera, which takes skin texture for noise and leaves ghosts of what moves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .ranges import Range, chance, check_range, check_share, integer, uniform

GHOST_THRESHOLDS = 1.5  # times the threshold: changes in time up to about that are taken for noise
LEAST_THRESHOLD = 0.1  # levels of 255: at 0 a flat surface would be 0 / 0


@dataclass(frozen=True)
class Denoise:
    """A noise filter that smears what differs by less than `threshold` levels, over `radius` pixels and in time.

    In space it is the guided filter of He et al. (2010) on itself; in time a mean that `memory` of the last frame
    enters.
    """

    radius: int
    threshold: float
    memory: float

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:  # noqa: ARG002 - as every piece
        mean, square = self._box(planes), self._box(planes * planes)
        variance = (square - mean * mean).clamp_(min=0)
        slope = variance / (variance + self.threshold**2)
        smooth = self._box(slope) * planes + self._box(mean * (1 - slope))
        for index in range(1, len(smooth)):
            change = smooth[index - 1] - smooth[index]
            still = torch.exp(-((change / (GHOST_THRESHOLDS * self.threshold)) ** 2))
            smooth[index] += self.memory * still * change
        return smooth

    def _box(self, planes: Tensor) -> Tensor:
        side = 2 * self.radius + 1
        down = F.avg_pool2d(planes, (side, 1), 1, (self.radius, 0), count_include_pad=False)
        return F.avg_pool2d(down, (1, side), 1, (0, self.radius), count_include_pad=False)

    def milder(self, severity: float) -> Denoise:
        return replace(self, threshold=max(LEAST_THRESHOLD, severity * self.threshold), memory=severity * self.memory)


@dataclass(frozen=True, kw_only=True)
class DenoiseConfig:
    """How many clips are filtered, and the ranges of the filter's settings."""

    share: float = 0.7
    radius: tuple[int, int] = (1, 3)
    threshold: Range = (6.0, 22.0)
    memory: Range = (0.0, 0.7)

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_range("radius", self.radius, 1, 16)
        check_range("threshold", self.threshold, LEAST_THRESHOLD, 255.0)
        check_range("memory", self.memory, 0.0, 1.0)

    def draw(self, rng: np.random.Generator) -> Denoise | None:
        if not chance(self.share, rng):
            return None
        return Denoise(integer(self.radius, rng), uniform(self.threshold, rng), uniform(self.memory, rng))
