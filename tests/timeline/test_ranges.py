"""Stretches are united, grown by handles, and begin where the frames of source and timeline begin together."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise

import pytest

from vfe.timeline.ranges import covers, united, with_handles
from vfe.types import Stretch


def test_a_union_has_the_frames_of_its_parts_and_no_others() -> None:
    rng = random.Random(1)
    for _ in range(200):
        parts = [Stretch(start, start + rng.randint(1, 9)) for start in (rng.randint(0, 60) for _ in range(6))]
        joined = united(parts)
        frames = sorted(frame for stretch in joined for frame in range(stretch.start, stretch.stop))
        assert frames == sorted({frame for part in parts for frame in range(part.start, part.stop)})
        assert all(before.stop < after.start for before, after in pairwise(joined))


@pytest.mark.parametrize("grid", [Fraction(1), Fraction(2), Fraction(6, 5), Fraction(25, 24), Fraction(1, 2)])
@pytest.mark.parametrize("start", [0, 1, 40, 57, 1000])
def test_a_stretch_begins_on_whole_frames_of_the_timeline(grid: Fraction, start: int) -> None:
    found = with_handles(Stretch(start, start + 10), 5, 5000, [grid])
    assert (found.start / grid).denominator == 1
    assert covers(found, Stretch(max(0, start - 5), start + 15))
    assert start - 5 - found.start < grid.numerator


def test_two_speeds_begin_on_whole_frames_of_both() -> None:
    assert with_handles(Stretch(41, 50), 0, 100, [Fraction(2), Fraction(3)]).start == 36


def test_rates_without_a_common_frame_near_begin_close_to_one() -> None:
    grid = Fraction(30000, 1001) / 25
    found = with_handles(Stretch(1000, 1010), 0, 5000, [grid])
    off = abs(found.start / grid - round(found.start / grid))
    assert 1000 - 36 < found.start <= 1000
    assert off < Fraction(1, 10)


def test_handles_end_where_the_source_does() -> None:
    assert with_handles(Stretch(3, 58), 12, 60, [Fraction(1)]) == Stretch(0, 60)
