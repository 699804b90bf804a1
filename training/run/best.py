"""By what a run's best weights are chosen: a weighted sum of its dev scores, of fidelity and of perception."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

BY_PSNR: Mapping[str, float] = {"psnr_gain": 1.0}
"""For losses of squared errors alone."""
WITH_PERCEPTION: Mapping[str, float] = {"psnr_gain": 1.0, "perceptual_gain": 10.0}
"""For losses with a perceptual term, by which PSNR alone would keep the blurriest weights. 0.1 of DISTS or LPIPS counts
as 1 dB: our own choice."""


def check_weights(weights: Mapping[str, float]) -> None:
    """Raise ValueError where `weights` are no finite numbers, or none is other than 0."""
    numbers = [value for value in weights.values() if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if len(numbers) < len(weights) or not all(map(math.isfinite, numbers)) or not any(numbers):
        raise ValueError(f"best={dict(weights)}, needed a number for each score, one of them not 0")


def check_names(weights: Mapping[str, float], scores: Collection[str]) -> None:
    """Raise ValueError where a weight is of a score that a stage does not have."""
    unknown = sorted(set(weights) - set(scores))
    if unknown:
        raise ValueError(f"best names {', '.join(unknown)}, needed some of this stage's scores: {', '.join(scores)}")


def mixed(scores: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The sum of the scores that have a weight, each times it."""
    return sum(weight * scores[name] for name, weight in weights.items())
