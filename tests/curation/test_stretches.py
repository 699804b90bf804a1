"""Shots are divided into clips of 4n+1 frames."""

from __future__ import annotations

from itertools import pairwise

import pytest

from vfe.curation.config import ClipConfig
from vfe.curation.stretches import stretches_of


@pytest.mark.parametrize("frames", [1, 32, 33, 34, 97, 98, 99, 130, 131, 200, 1000, 1001])
def test_stretches_are_whole_long_enough_and_one_after_another(frames: int) -> None:
    found = stretches_of(7, 7 + frames, ClipConfig())
    assert all(33 <= len(stretch) <= 97 for stretch in found)
    assert all(len(stretch) % 4 == 1 for stretch in found)
    assert all(first.stop == second.start for first, second in pairwise(found))
    assert bool(found) == (frames >= 33)
    if found:
        assert found[0].start == 7
        assert 7 + frames - found[-1].stop < 5 * len(found), "little is left out"


def test_a_long_shot_is_divided_evenly() -> None:
    assert [len(stretch) for stretch in stretches_of(0, 130, ClipConfig())] == [65, 65]


def test_where_halves_are_too_short_the_least_length_is_taken() -> None:
    assert [len(s) for s in stretches_of(0, 20, ClipConfig(least_frames=13, most_frames=17))] == [13]
