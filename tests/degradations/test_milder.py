"""Milder twins: one draw at several severities, for every family."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.degraded_clips import FAMILIES, moving_clip
from vfe.degradations.codec import Codec
from vfe.degradations.presets import preset_family
from vfe.degradations.resize import Resize
from vfe.degradations.vividface import Degradation

SEEDS = range(3)


def twin(name: str, seed: int, severity: float) -> Tensor:
    """A clip degraded by one draw of a family, at a severity, with one seed of its noise."""
    how = FAMILIES[name].draw(np.random.default_rng(seed)).milder(severity)
    return how.apply(moving_clip(5, 48, 64), np.random.default_rng(seed + 100))


def harm(name: str, seed: int, severity: float) -> float:
    how = FAMILIES[name].draw(np.random.default_rng(seed))
    target = how.target(moving_clip(5, 48, 64)).float()
    return float((twin(name, seed, severity).float() - target).square().mean())


@pytest.mark.parametrize("name", FAMILIES)
def test_a_milder_twin_is_nearer_to_the_clip_and_at_1_the_same(name: str) -> None:
    errors = [[harm(name, seed, severity) for severity in (0.0, 0.5, 1.0)] for seed in SEEDS]
    none, half, full = np.mean(errors, axis=0)
    assert none < half < full, (name, none, half, full)
    whole = FAMILIES[name].draw(np.random.default_rng(0)).apply(moving_clip(5, 48, 64), np.random.default_rng(100))
    assert torch.equal(twin(name, 0, 1.0), whole)


@pytest.mark.parametrize("name", ["keep", "severe", "webcam"])
@pytest.mark.parametrize("severity", [-0.1, 1.1, float("nan")])
def test_a_severity_outside_of_0_to_1_is_refused(name: str, severity: float) -> None:
    with pytest.raises(ValueError, match="severity is"):
        preset_family(name).draw(np.random.default_rng(0)).milder(severity)


def test_amounts_shrink_by_what_they_are() -> None:
    assert Degradation(2.0, 4.0, 6.0, 38, stored=7, careless=True).milder(0.5) == Degradation(
        1.0, 2.0, 3.0, 28, stored=7, careless=True
    )
    assert Resize(0.25).milder(0.5) == Resize(0.5)  # sizes multiply, and so do their milder ones
    assert Codec("mpeg4", 31).milder(0.5).quality == 17
    assert Codec("libx264", 8).milder(0.5).quality == 8  # better than the scale begins
    assert Codec("libx264", 30, bits=0.1).milder(0.5).bits == pytest.approx(0.2)
    assert Codec("libx264", 30, bits=0.1).milder(0.0) == Codec("libx264", 18)
