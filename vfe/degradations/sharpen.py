"""Sharpening after the fact: haloes along edges."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from .ranges import Range, chance, check_range, check_share, uniform
from .resample import gaussian_matrix


@dataclass(frozen=True)
class Sharpen:
    """An unsharp mask: adds `amount` times the difference to a blur of `sigma` pixels, with haloes along edges."""

    amount: float
    sigma: float

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:  # noqa: ARG002 - as every piece
        rows, columns = (gaussian_matrix(side, self.sigma) for side in planes.shape[2:])
        return (planes + self.amount * (planes - rows @ (planes @ columns.T))).clamp_(0, 255)

    def milder(self, severity: float) -> Sharpen:
        return replace(self, amount=severity * self.amount)


@dataclass(frozen=True, kw_only=True)
class SharpenConfig:
    """How many clips are sharpened, and the ranges of amount and sigma."""

    share: float = 0.5
    amount: Range = (0.3, 1.5)
    sigma: Range = (0.7, 1.5)

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_range("amount", self.amount, 0.0, 10.0)
        check_range("sigma", self.sigma, 0.1, 10.0)

    def draw(self, rng: np.random.Generator) -> Sharpen | None:
        if not chance(self.share, rng):
            return None
        return Sharpen(uniform(self.amount, rng), uniform(self.sigma, rng))
