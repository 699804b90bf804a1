"""Noise of a small sensor: stronger in the dark, grey and fine in brightness, blotchy in colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .frames import luma
from .ranges import Range, chance, check_range, check_share, uniform
from .resample import gaussian_matrix

DARK_NOISE_SLOPE = 0.8  # more noise in black than in white, as a part of the mean
CHROMA_SIGMA = 1.5  # pixels: few photosites make a colour


@dataclass(frozen=True)
class SensorNoise:
    """Sigmas in levels of 255: `grain` in brightness, `chroma` in colour."""

    grain: float
    chroma: float

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:
        frames, _, height, width = planes.shape
        grey, colour = (
            torch.from_numpy(rng.standard_normal((frames, layers, height, width), dtype=np.float32))
            for layers in (1, 3)
        )
        rows, columns = (gaussian_matrix(side, CHROMA_SIGMA) for side in (height, width))
        colour = rows @ (colour @ columns.T) * (2 * np.sqrt(np.pi) * CHROMA_SIGMA)
        colour = colour - luma(colour)
        strength = 1 + DARK_NOISE_SLOPE * (0.5 - luma(planes) / 255)
        return (planes + strength * (self.grain * grey + self.chroma * colour)).clamp_(0, 255)

    def milder(self, severity: float) -> SensorNoise:
        return SensorNoise(severity * self.grain, severity * self.chroma)


@dataclass(frozen=True, kw_only=True)
class SensorNoiseConfig:
    """Levels of 255; in low light `dark_factor` times as much."""

    share: float = 0.9
    grain: Range = (1.0, 7.0)
    chroma: Range = (0.5, 5.0)
    dark_factor: float = 1.8

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_range("grain", self.grain, 0.0, 128.0)
        check_range("chroma", self.chroma, 0.0, 128.0)
        check_range("dark_factor", (self.dark_factor, self.dark_factor), 0.0, 10.0)

    def draw(self, rng: np.random.Generator, dark: bool) -> SensorNoise | None:
        if not chance(self.share, rng):
            return None
        factor = self.dark_factor if dark else 1.0
        return SensorNoise(factor * uniform(self.grain, rng), factor * uniform(self.chroma, rng))
