"""What tells profiles from faces that the aligned template fits, and how much of each is shown."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vfe.face.paste.align import template
from vfe.face.paste.frontal import FRONTAL, PROFILE, frontal_weights, misfit

DEPTH = torch.tensor([0.0, 0.0, 0.075, 0.0, 0.0])
"""How far the nose's tip stands out before eyes and mouth, in sides of the crop."""


def turned(degrees: float) -> Tensor:
    """(1, 5, 2): the template's landmarks, of a head that is turned to the side."""
    points = template() - template().mean(0)
    angle = math.radians(degrees)
    x = points[:, 0] * math.cos(angle) + DEPTH * math.sin(angle)
    return torch.stack([x, points[:, 1]], dim=-1)[None]


def test_the_template_fits_itself_wherever_it_lies() -> None:
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    assert float(misfit(template()[None] @ turn.T * 300 + 40)) == pytest.approx(0, abs=1e-6)


def test_it_grows_with_the_turn_of_the_head() -> None:
    grown = torch.cat([misfit(turned(degrees)) for degrees in range(0, 91, 15)])
    assert bool((grown.diff() > 0).all())


@pytest.mark.parametrize("scale", [1.0, 250.0])
def test_it_is_in_sides_of_the_crop(scale: float) -> None:
    assert torch.allclose(misfit(turned(40) * scale), misfit(turned(40)))


@pytest.mark.parametrize(("degrees", "weight"), [(0, 1.0), (45, 1.0), (70, 0.0), (-70, 0.0)])
def test_faces_from_the_front_are_shown_and_profiles_not(degrees: float, weight: float) -> None:
    assert frontal_weights(turned(degrees).expand(3, -1, -1)).tolist() == [weight] * 3


def test_a_head_that_turns_away_fades() -> None:
    weights = frontal_weights(torch.cat([turned(degrees) for degrees in range(0, 90, 2)]))
    assert weights[0] == 1
    assert weights[-1] == 0
    assert float(weights.diff().abs().max()) < 0.25
    assert bool((weights.diff() <= 1e-6).all())


def test_landmarks_in_one_point_are_no_reason_to_fail() -> None:
    assert bool(frontal_weights(torch.zeros(4, 5, 2)).isfinite().all())


def test_the_bounds_are_where_they_are_said_to_be() -> None:
    assert float(misfit(turned(50))) < FRONTAL < float(misfit(turned(54)))
    assert float(misfit(turned(62))) < PROFILE < float(misfit(turned(70)))
