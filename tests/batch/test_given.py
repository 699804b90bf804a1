"""Options that were given: layers of them, and what a YAML file may say."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from vfe.batch.given import LONGEST_TEXT, GivenOptions, read_given
from vfe.options import RestoreOptions
from vfe.types import VFEError


def test_it_has_the_options_that_may_differ_from_file_to_file() -> None:
    given, restoring = ({field.name for field in fields(kind)} for kind in (GivenOptions, RestoreOptions))
    assert given == (restoring - {"compare", "report", "overwrite", "tracks"}) | {"preset"}


def test_nothing_given_changes_nothing() -> None:
    options = RestoreOptions(strength=0.5, compare=Path("both.mp4"))
    assert GivenOptions().applied_to(options) == options
    assert GivenOptions().named == {}


def test_what_is_above_counts() -> None:
    above, below = GivenOptions(strength=0.0, preset="tv"), GivenOptions(strength=0.5, crf=12)
    assert above.over(below) == GivenOptions(strength=0.0, preset="tv", crf=12)
    assert above.over(below).applied_to(RestoreOptions()) == RestoreOptions(strength=0.0, crf=12)


@pytest.mark.parametrize(
    ("above", "below"),
    [(GivenOptions(size=(8, 8)), GivenOptions(scale=2.0)), (GivenOptions(scale=2.0), GivenOptions(size=(8, 8)))],
)
def test_size_and_scale_take_each_others_place(above: GivenOptions, below: GivenOptions) -> None:
    assert above.over(below) == above


def test_a_mapping_of_all_options() -> None:
    raw = {"strength": 1, "size": [64, 48], "codec": "ffv1", "region": "face", "faces": "2,5", "min_face": 9}
    given = GivenOptions(strength=1.0, size=(64, 48), codec="ffv1", region="face", faces="2,5", min_face=9)
    assert read_given(raw, "a.yaml") == given


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        ({"strenght": 1}, "strenght"),
        ({"overwrite": True}, "overwrite"),
        ({1: 2}, "'1'"),
        ({None: 2}, "'None'"),
        ({"strength": True}, "strength"),
        ({"strength": "much"}, "strength"),
        ({"strength": 7}, "strength is 7"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"size": [64]}, "size"),
        ({"size": [64, 48], "scale": 2}, "size and scale"),
        ({"size": 64}, "size"),
        ({"codec": ["h264"]}, "codec"),
        ({"region": {}}, "region"),
        ({"crf": 1.5}, "crf"),
        ({"faces": 2}, "faces"),
        ({"crf": "x" * 10_000}, "..."),
    ],
)
def test_other_values_are_one_line_that_names_the_file(raw: dict[str, Any], part: str) -> None:
    with pytest.raises(VFEError) as caught:
        read_given(raw, "a.yaml")
    text = str(caught.value)
    assert text.startswith("a.yaml: ")
    assert part in text
    assert "\n" not in text
    assert len(text) <= LONGEST_TEXT + len("a.yaml: ")
