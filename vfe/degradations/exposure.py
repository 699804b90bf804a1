"""Exposure and white balance that are off, and an automatic exposure that drifts after them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .random_walk import random_walk
from .ranges import Range, chance, check_range, check_share, uniform


@dataclass(frozen=True)
class Exposure:
    """Gains of the picture and of its red and blue; `drift` is the walk of the first per frame. What is too bright
    clips."""

    gain: float
    red: float
    blue: float
    drift: float

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:
        span = (0.7 * self.gain, 1.3 * self.gain)
        pace = random_walk(0.0, self.drift, (-2 * self.drift, 2 * self.drift), len(planes), rng)
        gains = torch.from_numpy(np.clip(self.gain * np.exp(np.cumsum(pace)), *span))
        colour = torch.tensor([self.red, 1.0, self.blue])
        return (planes * gains[:, None, None, None] * colour[None, :, None, None]).clamp_(0, 255)

    def milder(self, severity: float) -> Exposure:
        gain, red, blue = (each**severity for each in (self.gain, self.red, self.blue))
        return Exposure(gain, red, blue, severity * self.drift)


@dataclass(frozen=True, kw_only=True)
class ExposureConfig:
    """Low light for a share of the draws, which is dark; `balance` is the gain of red and of blue."""

    low_light: float = 0.35
    dark_gain: Range = (0.45, 0.8)
    gain: Range = (0.85, 1.2)
    balance: Range = (0.87, 1.15)
    balance_share: float = 0.6
    drift: Range = (0.0, 0.006)

    def __post_init__(self) -> None:
        for name in ("low_light", "balance_share"):
            check_share(name, getattr(self, name))
        for name in ("dark_gain", "gain", "balance"):
            check_range(name, getattr(self, name), 0.05, 4.0)
        check_range("drift", self.drift, 0.0, 0.1)

    def draw(self, rng: np.random.Generator) -> tuple[Exposure, bool]:
        """The exposure, and whether it is that of low light."""
        dark = chance(self.low_light, rng)
        gain = uniform(self.dark_gain if dark else self.gain, rng)
        red, blue = uniform(self.balance, rng), uniform(self.balance, rng)
        if not chance(self.balance_share, rng):
            red = blue = 1.0
        return Exposure(gain, red, blue, uniform(self.drift, rng)), dark
