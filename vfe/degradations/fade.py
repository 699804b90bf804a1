"""Faded dyes and silver: lifted blacks, dull whites, thin colours, a cast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .frames import luma
from .ranges import Range, chance, check_range, check_share, uniform


@dataclass(frozen=True)
class Fade:
    """Maps 0 and 255 to `black` and `white`, with `gamma` between; then `saturation`, then gains of red, green and
    blue."""

    black: float
    white: float
    gamma: float
    saturation: float
    cast: tuple[float, float, float]

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:  # noqa: ARG002 - as every piece
        toned = self.black + (self.white - self.black) * (planes.clamp(0, 255) / 255) ** self.gamma
        grey = luma(toned)
        toned = grey + self.saturation * (toned - grey)
        return toned * torch.tensor(self.cast)[None, :, None, None]

    def milder(self, severity: float) -> Fade:
        red, green, blue = (1 + severity * (each - 1) for each in self.cast)
        return Fade(
            black=severity * self.black,
            white=255 + severity * (self.white - 255),
            gamma=self.gamma**severity,
            saturation=1 + severity * (self.saturation - 1),
            cast=(red, green, blue),
        )


@dataclass(frozen=True, kw_only=True)
class FadeConfig:
    """Ranges in levels of 255. The cast lies between that of dead cyan dye (red) and that of old varnish (yellow)."""

    share: float = 0.85
    black: Range = (0.0, 45.0)
    white: Range = (200.0, 255.0)
    gamma: Range = (0.8, 1.3)
    saturation: Range = (0.45, 1.05)
    cast: Range = (0.0, 0.15)

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_range("black", self.black, 0.0, 127.0)
        check_range("white", self.white, 128.0, 255.0)
        check_range("gamma", self.gamma, 0.2, 5.0)
        check_range("saturation", self.saturation, 0.0, 2.0)
        check_range("cast", self.cast, 0.0, 0.5)

    def draw(self, rng: np.random.Generator) -> Fade | None:
        if not chance(self.share, rng):
            return None
        black, white, gamma = (uniform(span, rng) for span in (self.black, self.white, self.gamma))
        saturation, cast, yellow = uniform(self.saturation, rng), uniform(self.cast, rng), rng.random()
        return Fade(black, white, gamma, saturation, (1 + cast / 2, 1 - cast * (1 - yellow), 1 - cast * (0.5 + yellow)))


def without_cast(fade: Fade | None) -> Fade | None:
    """The same fade for stock without dyes: black-and-white film fades, but takes on no cast."""
    return None if fade is None else Fade(fade.black, fade.white, fade.gamma, 1.0, (1.0, 1.0, 1.0))
