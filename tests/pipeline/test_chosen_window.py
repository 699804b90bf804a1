"""Windows as users ask for them, rounded to such as models take."""

from __future__ import annotations

import pytest

from vfe.options import WINDOWS
from vfe.pipeline.chosen_window import choose_window
from vfe.pipeline.windows import WindowConfig


@pytest.mark.parametrize("frames", range(1, 60))
def test_a_window_is_rounded_up_and_by_less_than_a_group(frames: int) -> None:
    chosen, note = choose_window(frames, None)
    assert chosen is not None
    assert 0 <= chosen.frames - frames < 4
    assert chosen == WindowConfig.of(chosen.frames)
    assert bool(note) == (chosen.frames != frames)


@pytest.mark.parametrize("frames", [9, 13, 25, 81])
def test_an_overlap_is_rounded_to_the_nearest_above_that_fits(frames: int) -> None:
    for overlap in range(1, frames // 2 + 1):
        chosen, note = choose_window(frames, overlap)
        assert chosen is not None
        assert chosen.overlap % 4 == 1
        possible = [shared for shared in range(1, frames // 2 + 1, 4) if shared >= overlap]
        assert chosen.overlap == (possible[0] if possible else overlap - (overlap - 1) % 4)
        assert bool(note) == (chosen.overlap != overlap)


def test_nothing_asked_is_left_to_the_model() -> None:
    assert choose_window(None, None) == (None, "")


def test_an_overlap_alone_is_that_of_the_default_window() -> None:
    assert choose_window(None, 9) == (WindowConfig(WindowConfig().frames, 9), "")


def test_no_overlap_stays_none() -> None:
    assert choose_window(9, 0) == (WindowConfig(9, 0), "")


def test_a_window_may_have_a_least_length() -> None:
    assert choose_window(1, None, least=5).config == WindowConfig.of(5)


def test_the_note_says_what_was_rounded() -> None:
    note = choose_window(24, 6).note
    assert note.startswith("windows of 25 frames in place of 24 and an overlap of 9 in place of 6: ")


@pytest.mark.parametrize(
    ("frames", "overlap", "part"),
    [
        (0, None, "window is 0"),
        (-3, None, "window is -3"),
        (WINDOWS.most + 1, None, f"to {WINDOWS.most}"),
        (9, 5, "overlap is 5"),
        (None, 13, "overlap is 13"),
        (9, -1, "overlap is -1"),
    ],
)
def test_what_cannot_be_meant_is_refused(frames: int | None, overlap: int | None, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        choose_window(frames, overlap)
