"""The program adds up: weights, bonus, penalty and what is no verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vfe.curation.verdict import WEIGHTS, Verdict

FLAWLESS, NOTHING = dict.fromkeys(WEIGHTS, 90.0), dict.fromkeys(WEIGHTS, 0.0)


def test_the_weights_are_those_of_a_hundred_points() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    assert Verdict.of(dict.fromkeys(WEIGHTS, 100.0)).total == 100


@pytest.mark.parametrize(("name", "weight"), WEIGHTS.items())
def test_a_dimension_counts_for_its_weight(name: str, weight: float) -> None:
    assert Verdict.of(NOTHING | {name: 80.0}).total == pytest.approx(80 * weight)


def test_ninety_throughout_is_ninety_exactly() -> None:
    assert Verdict.of(FLAWLESS).total == 90.0


def test_the_bonus_counts_only_where_no_dimension_is_below_90() -> None:
    assert Verdict.of(FLAWLESS | {"bonus": 3}).total == 93
    assert Verdict.of(FLAWLESS | {"occlusion": 89.9, "bonus": 3}).total == pytest.approx(89.99)


def test_the_penalty_is_taken_off_down_to_nothing() -> None:
    assert Verdict.of(FLAWLESS | {"penalty": 20}).total == 70
    assert Verdict(detail=10, penalty=20).total == 0


def test_no_verdict_is_not_a_good_one() -> None:
    assert replace(Verdict.of(FLAWLESS), unscored="nobody answered").total == 0


@pytest.mark.parametrize(
    "wrong", [{"detail": 101}, {"lighting": -1}, {"bonus": 6}, {"penalty": 21}, {"detail": float("nan")}]
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="needed 0 to 100"):
        Verdict.of(FLAWLESS | wrong)


def test_a_dimension_left_out_is_an_error() -> None:
    with pytest.raises(KeyError, match="detail"):
        Verdict.of({name: 90.0 for name in WEIGHTS if name != "detail"})
