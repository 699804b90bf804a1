"""Where segments end."""

from __future__ import annotations

import random

import pytest

from vfe.jobs.segments import divided
from vfe.types import Stretch


def test_segments_end_at_cuts_where_one_is_near() -> None:
    assert divided(100, (), 100) == (Stretch(0, 100),)
    assert divided(133, (), 100) == (Stretch(0, 133),)
    assert divided(250, (), 100) == (Stretch(0, 100), Stretch(100, 200), Stretch(200, 250))
    assert divided(250, (90, 120, 190), 100) == (Stretch(0, 90), Stretch(90, 190), Stretch(190, 250))
    assert divided(250, (40, 160), 100)[0] == Stretch(0, 100), "no cut is near"


@pytest.mark.parametrize("seed", range(20))
def test_they_follow_each_other(seed: int) -> None:
    chance = random.Random(seed)
    frames, target = chance.randint(1, 3000), chance.randint(1, 400)
    cuts = sorted(chance.sample(range(1, frames + 1), min(frames, chance.randint(0, 30))))
    segments = divided(frames, [cut for cut in cuts if cut < frames], target)
    assert [segment.start for segment in segments] == [0, *(segment.stop for segment in segments[:-1])]
    assert segments[-1].stop == frames
    assert max(map(len, segments)) <= target * 4 / 3 + 1
