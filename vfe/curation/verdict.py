"""What a scorer says of a clip: five dimensions, a bonus and a penalty, from which the program works out the total.

VividFace (section 3.3) scores five dimensions with bonuses and penalties and keeps a clip whose total is above 90 of
100. It publishes neither the weights nor the sizes of bonus and penalty: those here are our own choice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from .clip import FaceClip

WEIGHTS = {"detail": 0.30, "stability": 0.25, "lighting": 0.15, "artefacts": 0.20, "occlusion": 0.10}
"""The dimensions of the paper in its order, and what each counts for in the total."""
MOST_BONUS, MOST_PENALTY = 5.0, 20.0
BONUS_FROM = 90.0
"""There is a bonus only where no dimension is below this."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A scorer's verdict on a clip, or that it has none.

    Each dimension goes from 0 to 100 and higher is better: 100 for `artefacts` is a clip without any, for `occlusion`
    a face of which nothing is hidden. Raises ValueError for numbers outside of their ranges.
    """

    detail: float = 0.0
    stability: float = 0.0
    lighting: float = 0.0
    artefacts: float = 0.0
    occlusion: float = 0.0
    bonus: float = 0.0
    """0 to MOST_BONUS."""
    penalty: float = 0.0
    """0 to MOST_PENALTY, a positive number that is taken off."""
    why: str = ""
    """A sentence for people."""
    raw: str = ""
    """The answer of a model as it came, for who wants to look; empty where there is no model."""
    unscored: str = ""
    """Why there is no verdict; then nothing else counts, `total` is 0 and the clip has to be scored again."""

    def __post_init__(self) -> None:
        most = dict.fromkeys(WEIGHTS, 100.0) | {"bonus": MOST_BONUS, "penalty": MOST_PENALTY}
        wrong = [f"{name}={getattr(self, name)}" for name, top in most.items() if not 0 <= getattr(self, name) <= top]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: needed 0 to 100, bonus to {MOST_BONUS}, penalty to {MOST_PENALTY}")

    @classmethod
    def of(cls, numbers: Mapping[str, float], why: str = "", raw: str = "") -> Verdict:
        """Return the verdict with these numbers: of each dimension, and of bonus and penalty where there are any.

        Raises KeyError where a dimension is missing.
        """
        detail, stability, lighting, artefacts, occlusion = (numbers[name] for name in WEIGHTS)
        return cls(
            detail=detail,
            stability=stability,
            lighting=lighting,
            artefacts=artefacts,
            occlusion=occlusion,
            bonus=numbers.get("bonus", 0.0),
            penalty=numbers.get("penalty", 0.0),
            why=why,
            raw=raw,
        )

    @property
    def dimensions(self) -> dict[str, float]:
        """The five dimensions by name, in the paper's order."""
        return {name: getattr(self, name) for name in WEIGHTS}

    @property
    def total(self) -> float:
        """The weighted sum of the dimensions, with bonus and penalty, cut to 0 to 100.

        The bonus counts only where every dimension is at least BONUS_FROM.
        """
        if self.unscored:
            return 0.0
        dimensions = self.dimensions
        bonus = self.bonus if min(dimensions.values()) >= BONUS_FROM else 0.0
        weighted = math.fsum(WEIGHTS[name] * value for name, value in dimensions.items())
        return min(max(round(weighted + bonus - self.penalty, 6), 0.0), 100.0)


class Scorer(Protocol):
    """Judges clips."""

    @property
    def name(self) -> str:
        """The scorer for people: `heuristic`, or `openai:` and the name of its model."""
        ...

    @property
    def key(self) -> str:
        """A SHA-256 over what the verdict depends on beside the clip: the scorer, its prompt and its settings."""
        ...

    def score(self, clip: FaceClip) -> Verdict:
        """Return the verdict on a clip. What may go well the next time, as an endpoint that is away, is `unscored`."""
        ...
