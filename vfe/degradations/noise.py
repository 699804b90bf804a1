"""Gaussian and shot noise, grey or coloured, whose strength may walk over the clip.

Shot noise is the normal approximation of Poisson's: its variance follows the brightness.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .random_walk import random_walk
from .ranges import Range, chance, check_range, check_share, uniform


@dataclass(frozen=True)
class Noise:
    """Noise of `sigma` levels of 255; shot noise is that strong where the picture is white. Sigma walks by up to `step`
    a frame."""

    sigma: float
    shot: bool = False
    grey: bool = False
    step: float = 0.0

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:
        frames, _, height, width = planes.shape
        sigma = torch.from_numpy(random_walk(self.sigma, self.step, (0.0, 2 * self.sigma), frames, rng))
        field = rng.standard_normal((frames, 1 if self.grey else 3, height, width), dtype=np.float32)
        noise = torch.from_numpy(field) * sigma[:, None, None, None]
        if self.shot:
            noise = noise * (planes.clamp(0, 255) / 255).sqrt()
        return (planes + noise).clamp_(0, 255)

    def milder(self, severity: float) -> Noise:
        return replace(self, sigma=severity * self.sigma, step=severity * self.step)


@dataclass(frozen=True, kw_only=True)
class NoiseConfig:
    """Sigma in levels of 255, of gaussian and of shot noise."""

    share: float = 1.0
    gaussian: Range = (1.0, 20.0)
    shot: Range = (1.0, 20.0)
    shot_share: float = 0.5
    grey_share: float = 0.4
    walking: float = 0.5
    step: float = 0.3

    def __post_init__(self) -> None:
        check_range("gaussian", self.gaussian, 0.0, 255.0)
        check_range("shot", self.shot, 0.0, 255.0)
        check_range("step", (0.0, self.step), 0.0)
        for name in ("share", "shot_share", "grey_share", "walking"):
            check_share(name, getattr(self, name))

    def draw(self, rng: np.random.Generator) -> Noise | None:
        if not chance(self.share, rng):
            return None
        shot = chance(self.shot_share, rng)
        sigma = uniform(self.shot if shot else self.gaussian, rng)
        return Noise(sigma, shot, chance(self.grey_share, rng), self.step if chance(self.walking, rng) else 0.0)
