"""Film grain: clumps of a pixel or two, strongest in mid-tones, new in every frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .frames import luma
from .ranges import Range, chance, check_range, check_share, uniform
from .resample import gaussian_matrix

STRENGTH_IN_BLACK_AND_WHITE = 0.35  # of the strength, in black and white


@dataclass(frozen=True)
class Grain:
    """Grain of `sigma` levels of 255 in mid-grey, in clumps of Gaussian `size` pixels; `colour` is the part that
    differs between the dye layers."""

    sigma: float
    size: float
    colour: float

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:
        frames, _, height, width = planes.shape
        field = _white((frames, 1, height, width), rng)
        if self.colour:
            layers = _white((frames, 3, height, width), rng)
            field = (1 - self.colour**2) ** 0.5 * field + self.colour * layers
        field = clumped(field, self.size)
        level = luma(planes).clamp(0, 255) / 255
        strength = STRENGTH_IN_BLACK_AND_WHITE + (1 - STRENGTH_IN_BLACK_AND_WHITE) * 4 * level * (1 - level)
        return planes + self.sigma * strength * field

    def milder(self, severity: float) -> Grain:
        return replace(self, sigma=severity * self.sigma)


@dataclass(frozen=True, kw_only=True)
class GrainConfig:
    """How many clips have grain, and the ranges of its strength, size and colour."""

    share: float = 1.0
    sigma: Range = (3.0, 17.0)
    size: Range = (0.5, 1.4)
    colour: Range = (0.0, 0.5)
    """How much the grain differs between the colours, which is of use to colour stock."""

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_range("sigma", self.sigma, 0.0, 128.0)
        check_range("size", self.size, 0.0, 8.0)
        check_range("colour", self.colour, 0.0, 1.0)

    def draw(self, rng: np.random.Generator, monochrome: bool) -> Grain | None:
        if not chance(self.share, rng):
            return None
        sigma, size, colour = (uniform(span, rng) for span in (self.sigma, self.size, self.colour))
        return Grain(sigma, size, 0.0 if monochrome else colour)


def clumped(noise: Tensor, size: float) -> Tensor:
    """White noise (T, C, H, W) smoothed by a gaussian of `size` pixels, at the variance that it had."""
    rows, columns = (gaussian_matrix(side, size) for side in noise.shape[2:])
    gain = rows.square().sum(1).mean().sqrt() * columns.square().sum(1).mean().sqrt()
    return rows @ (noise @ columns.T) / gain


def _white(shape: tuple[int, int, int, int], rng: np.random.Generator) -> Tensor:
    """White noise of unit variance."""
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
