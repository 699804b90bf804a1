"""Scratches: vertical lines that a projector cuts into many frames of a print, wandering a little, broken in places.

T frames, H W sides, S scratches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .ranges import Range, chance, check_range, check_share, integer, uniform

MIN_FRAMES = 4  # frames that a scratch lasts
DEPTH_KNOTS = 9  # down the frame, between which a scratch is deeper or shallower
BRIGHT_SHARE = 0.6  # of scratches: into the emulsion of a print; the others are dirt in the gate


@dataclass(frozen=True)
class Scratches:
    """Draws `count` lines through the clip, `width` pixels wide, which replace `depth` of 0 to 1 of the picture."""

    count: int
    width: float
    depth: float

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:
        frames, _, height, width = planes.shape
        bright = rng.random(self.count) < BRIGHT_SHARE
        opacity = self._opacity((frames, height, width), rng)
        for level, chosen in ((235.0, bright), (15.0, ~bright)):
            across, down = (torch.from_numpy(part[:, chosen]) for part in opacity)
            cover = torch.einsum("tsh,tsw->thw", down, across).clamp_(0, 1)[:, None]
            planes = planes + cover * (level - planes)
        return planes

    def _opacity(
        self, shape: tuple[int, int, int], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Profiles across (T, S, W) and down (T, S, H), zero in frames that a scratch does not reach."""
        frames, height, width = shape
        position_x = rng.uniform(0, width, self.count) + np.cumsum(rng.normal(0, 0.35, (frames, self.count)), 0)
        position_x += np.linspace(0, 1, frames)[:, None] * rng.normal(0, 4, self.count)
        sigma = self.width / 2 * rng.uniform(0.6, 1.3, self.count)
        across = np.exp(-0.5 * ((np.arange(width) - position_x[..., None]) / sigma[:, None]) ** 2)
        knots = np.clip(
            rng.normal(0.75, 0.35, (1, self.count, DEPTH_KNOTS)) + rng.normal(0, 0.12, (frames, 1, DEPTH_KNOTS)), 0, 1
        )
        position = np.linspace(0, DEPTH_KNOTS - 1, height)
        below = np.minimum(position.astype(int), DEPTH_KNOTS - 2)
        down = knots[..., below] + (knots[..., below + 1] - knots[..., below]) * (position - below)
        first = rng.integers(0, max(1, frames - MIN_FRAMES + 1), self.count)
        last = first + rng.integers(min(MIN_FRAMES, frames), 2 * frames + 1, self.count)
        moment = np.arange(frames)[:, None]
        alive = (moment >= first) & (moment < last)
        return across.astype(np.float32), (self.depth * down * alive[..., None]).astype(np.float32)

    def milder(self, severity: float) -> Scratches:
        return replace(self, depth=severity * self.depth)


@dataclass(frozen=True, kw_only=True)
class ScratchesConfig:
    """How many clips are scratched, and the ranges of the number, width and depth of the scratches."""

    share: float = 0.7
    count: tuple[int, int] = (1, 7)
    width: Range = (0.7, 2.0)
    depth: Range = (0.2, 0.8)

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_range("count", self.count, 1, 1000)
        check_range("width", self.width, 0.1, 50.0)
        check_range("depth", self.depth, 0.0, 1.0)

    def draw(self, rng: np.random.Generator) -> Scratches | None:
        if not chance(self.share, rng):
            return None
        return Scratches(integer(self.count, rng), uniform(self.width, rng), uniform(self.depth, rng))
