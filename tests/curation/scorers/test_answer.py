"""Verdicts are read from what models say, and never made up."""

from __future__ import annotations

import json

import pytest

from tests.support.fake_endpoint import GOOD
from vfe.curation.scorers.answer import LONGEST_ANSWER, UnusableAnswer, verdict_of

TEXT = json.dumps(GOOD)


@pytest.mark.parametrize(
    "answer",
    [
        TEXT,
        f"Here is what I think:\n```json\n{json.dumps(GOOD, indent=2)}\n```\nThe clip {{is}} good.",
        f'<think>The braces {{ of "detail" {{ do not close</think>{TEXT}',
        f'{{"detail": 10, "note": "a first try"}} and then {TEXT}',
        json.dumps({"verdict": GOOD}),
        json.dumps({**GOOD, "detail": "92", "total": 3}),
        "{" * 3000 + TEXT,
        '{"a":' * 3000 + TEXT + "}" * 3000,
    ],
    ids=["json", "fenced", "unclosed", "draft", "nested", "texts", "braces", "deep"],
)
def test_the_object_is_found_in_what_is_around_it(answer: str) -> None:
    verdict = verdict_of(answer)
    assert verdict.dimensions == {"detail": 92, "stability": 88, "lighting": 95, "artefacts": 90, "occlusion": 100}
    assert verdict.total == pytest.approx(0.3 * 92 + 0.25 * 88 + 0.15 * 95 + 0.2 * 90 + 10)
    assert verdict.why == "Lashes are seen."
    assert verdict.raw == answer


def test_numbers_beyond_their_range_are_cut_to_it() -> None:
    verdict = verdict_of(json.dumps(GOOD | {"detail": 250, "lighting": -3, "bonus": 50, "penalty": 99}))
    assert (verdict.detail, verdict.lighting, verdict.bonus, verdict.penalty) == (100, 0, 5, 20)


def test_a_penalty_below_nothing_is_one() -> None:
    assert verdict_of(json.dumps(GOOD | {"penalty": -7})).penalty == 7


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("I cannot judge people.", "no complete JSON object"),
        ("", "no complete JSON object"),
        (TEXT[:-2], "no complete JSON object"),
        ("[92, 88, 95]", "no complete JSON object"),
        (" " * LONGEST_ANSWER + TEXT, "no complete JSON object"),
        (json.dumps({name: value for name, value in GOOD.items() if name != "penalty"}), "lacks penalty"),
        (json.dumps(GOOD | {"detail": "good"}), "detail is 'good'"),
        (json.dumps(GOOD | {"detail": None}), "detail is 'None'"),
        (json.dumps(GOOD | {"detail": True}), "detail is 'True'"),
        (json.dumps(GOOD | {"detail": [92]}), "detail is"),
        (json.dumps(GOOD | {"detail": float("nan")}), "detail is 'nan'"),
        (json.dumps(GOOD | {"bonus": float("inf")}), "bonus is 'inf'"),
        (TEXT.replace("92", "1" + "0" * 400), "detail is '1000"),
    ],
)
def test_what_is_no_verdict_is_said(answer: str, problem: str) -> None:
    with pytest.raises(UnusableAnswer, match=problem):
        verdict_of(answer)


def test_a_reason_cannot_steer_a_terminal() -> None:
    why = verdict_of(json.dumps(GOOD | {"why": "sharp\x1b[2J\n and\ud800 calm" + "!" * 999})).why
    assert why.isprintable()
    assert len(why) <= 500
