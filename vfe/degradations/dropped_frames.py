"""Lost frames, which a player replaces by the frame before.

They are off unless a config asks: a frame that is shown again is not the moment of its target, so that a loss would ask
the restorer for what only later frames show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .ranges import Range, chance, check_range, check_share, uniform


@dataclass(frozen=True)
class Repeat:
    """Loses a `share` of the frames, and repeats the one before."""

    share: float

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:
        lost = rng.random(len(planes)) < self.share
        lost[0] = False
        shown = np.maximum.accumulate(np.where(lost, 0, np.arange(len(planes))))
        return planes[torch.from_numpy(shown)]

    def milder(self, severity: float) -> Repeat:
        return Repeat(severity * self.share)


@dataclass(frozen=True, kw_only=True)
class RepeatConfig:
    """How many clips lose frames, and the range of the share that is lost."""

    share: float = 0.0
    lost: Range = (0.05, 0.3)

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_range("lost", self.lost, 0.0, 1.0)

    def draw(self, rng: np.random.Generator) -> Repeat | None:
        return Repeat(uniform(self.lost, rng)) if chance(self.share, rng) else None
