"""Ranges and shares of the configs: checked when a config is made, drawn from uniformly."""

from __future__ import annotations

import math

import numpy as np

Range = tuple[float, float]


def check_range(name: str, value: Range, lowest: float, highest: float = math.inf) -> None:
    """Raise ValueError unless `value` rises within [lowest, highest]."""
    low, high = value
    if not lowest <= low <= high <= highest:
        limit = f"at least {lowest}" if highest == math.inf else f"{lowest} to at most {highest}"
        raise ValueError(f"{name} range is {low} to {high}, needed rising from {limit}")


def check_share(name: str, value: float) -> None:
    """Raise ValueError unless `value` lies in [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}, needed from 0 to 1")


def uniform(span: Range, rng: np.random.Generator) -> float:
    """A number drawn uniformly from `span`."""
    return float(rng.uniform(*span))


def integer(span: tuple[int, int], rng: np.random.Generator) -> int:
    """An integer drawn uniformly from `span`, both ends included."""
    return int(rng.integers(span[0], span[1] + 1))


def chance(share: float, rng: np.random.Generator) -> bool:
    """True for a share of the draws; one number is taken from `rng` either way."""
    return bool(rng.random() < share)
