"""Which family degrades a segment: a draw among them by their shares."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from .film import FilmConfig
from .protocol import DrawnDegradation, Family
from .second_order import SecondOrderConfig
from .vividface import DegradationConfig
from .webcam import WebcamConfig


@dataclass(frozen=True, kw_only=True)
class Shares:
    """The share of the segments that each family degrades; they add up to 1."""

    keep: float = 0.4
    second_order: float = 0.25
    film: float = 0.15
    webcam: float = 0.2

    def __post_init__(self) -> None:
        shares = [getattr(self, part.name) for part in fields(self)]
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"{self}: needed shares from 0 that add up to 1, got a sum of {sum(shares)}")


@dataclass(frozen=True, kw_only=True)
class DegradationMix:
    """A family that draws among the other families, with the config of each."""

    shares: Shares = field(default_factory=Shares)
    keep: DegradationConfig = field(default_factory=DegradationConfig)
    second_order: SecondOrderConfig = field(default_factory=SecondOrderConfig)
    film: FilmConfig = field(default_factory=FilmConfig)
    webcam: WebcamConfig = field(default_factory=WebcamConfig)

    def families(self) -> dict[str, tuple[float, Family]]:
        """The families that have a share, by name: (share, config)."""
        named = {part.name: (getattr(self.shares, part.name), getattr(self, part.name)) for part in fields(self.shares)}
        return {name: pair for name, pair in named.items() if pair[0] > 0}

    def draw(self, rng: np.random.Generator) -> DrawnDegradation:
        """Draw a family by the shares, and a degradation of it."""
        shares, families = zip(*self.families().values(), strict=True)
        chosen: Family = families[int(rng.choice(len(families), p=np.array(shares) / sum(shares)))]
        return chosen.draw(rng)


Degradations = DegradationConfig | DegradationMix
"""What a run degrades its clips with."""
