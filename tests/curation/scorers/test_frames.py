"""Which frames are shown."""

from __future__ import annotations

import pytest

from tests.support.face_clips import flat_clip
from vfe.curation.scorers.frames import ShownFrames, shown_frames, spread
from vfe.curation.scorers.prompt import load_prompt


@pytest.mark.parametrize(
    ("total", "count", "chosen"),
    [(33, 9, [0, 4, 8, 12, 16, 20, 24, 28, 32]), (5, 8, [0, 1, 2, 3, 4]), (10, 1, [4]), (1, 8, [0]), (2, 2, [0, 1])],
)
def test_frames_are_evenly_spread_with_both_ends(total: int, count: int, chosen: list[int]) -> None:
    assert spread(total, count) == chosen


def test_the_seconds_between_them_are_told() -> None:
    assert shown_frames(flat_clip(33, fps=16), ShownFrames(count=9)).seconds == pytest.approx(0.25)
    assert shown_frames(flat_clip(1), ShownFrames()).seconds == 0


@pytest.mark.parametrize("wrong", [{"count": 0}, {"side": 8}])
def test_too_little_to_see_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="needed"):
        ShownFrames(**wrong)


def test_the_prompt_asks_for_what_is_read() -> None:
    prompt = load_prompt()
    question = prompt.of(8, 0.5)
    assert question.startswith("These 8 frames are one clip, in order, 0.5 seconds apart.")
    assert "$" not in question
    assert "JSON only" in prompt.system
    assert all(f'"{name}"' in question for name in ("detail", "stability", "lighting", "artefacts", "occlusion"))
    assert all(f'"{name}"' in question for name in ("bonus", "penalty", "why"))
