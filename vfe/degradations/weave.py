"""Gate weave and fields: displacements of a frame in the projector and of its lines in a telecine.

Both move the picture away from the clean one, by less than a pixel and by a frame's motion. A loss that compares pixels
would ask the restorer to guess the move, and blur what it cannot guess: both are off unless a config asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .random_walk import correlated_noise
from .ranges import Range, chance, check_range, check_share, uniform

SHIFT_CORRELATION = 0.7  # of a frame's place for the one before


@dataclass(frozen=True)
class Weave:
    """Shifts each frame by a standard deviation of `pixels` down and half of that across."""

    pixels: float

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:
        frames, _, height, width = planes.shape
        shift = torch.from_numpy(correlated_noise(SHIFT_CORRELATION, (frames, 2), rng)) * self.pixels
        theta = torch.eye(2, 3).repeat(frames, 1, 1)
        theta[:, 0, 2], theta[:, 1, 2] = shift[:, 0] / width, 2 * shift[:, 1] / height
        grid = F.affine_grid(theta, list(planes.shape), align_corners=False)
        return F.grid_sample(planes, grid, "bicubic", "border", align_corners=False)

    def milder(self, severity: float) -> Weave:
        return Weave(severity * self.pixels)


@dataclass(frozen=True)
class Interlace:
    """The odd lines of each frame come from the next one: combs where something moves."""

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:  # noqa: ARG002 - as every piece
        woven = planes.clone()
        woven[:-1, :, 1::2] = planes[1:, :, 1::2]
        return woven

    def milder(self, severity: float) -> Interlace:  # noqa: ARG002 - as every piece
        return self


@dataclass(frozen=True, kw_only=True)
class WeaveConfig:
    """How many clips weave and by how much, and how many are interlaced."""

    share: float = 0.0
    pixels: Range = (0.1, 0.6)
    interlace_share: float = 0.0

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_share("interlace_share", self.interlace_share)
        check_range("pixels", self.pixels, 0.0, 20.0)

    def draw(self, rng: np.random.Generator) -> tuple[Weave | None, Interlace | None]:
        pixels = uniform(self.pixels, rng)
        weave = Weave(pixels) if chance(self.share, rng) else None
        return weave, Interlace() if chance(self.interlace_share, rng) else None
