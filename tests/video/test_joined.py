"""Two clips in one picture: where each side's pixels are, and that frames go with those that are shown at that time."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor

from vfe.video.compare import DIVIDER
from vfe.video.frame import Frame
from vfe.video.joined import WIPE_SECONDS, in_step, joined, joined_size, wipe_at
from vfe.video.layouts import LAYOUTS, Layout

WIDTH, HEIGHT = 40, 24
BEFORE, AFTER = -0.5, 0.25


def pair() -> tuple[Tensor, Tensor]:
    return torch.full((3, HEIGHT, WIDTH), BEFORE), torch.full((3, HEIGHT, WIDTH), AFTER)


def clip(count: int, rate: int, scale: int = 1000) -> list[Frame]:
    """Frames whose pixels are their numbers, at times in units of 1/scale s."""
    return [
        Frame(torch.full((3, 1, 1), float(n)), pts=round(n * scale / rate), time_base=Fraction(1, scale))
        for n in range(count)
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_size_is_the_one_that_is_said(layout: Layout) -> None:
    picture = joined(layout, *pair(), 0.0)
    assert picture.shape == (3, *joined_size(layout, (WIDTH, HEIGHT))[::-1])


def test_both_sides_are_whole_with_a_line_between() -> None:
    beside, above = (joined(layout, *pair(), 0.0, white=0.9) for layout in ("side by side", "stacked"))
    for picture in (beside, above.transpose(1, 2)):
        side = (picture.shape[2] - DIVIDER) // 2
        assert (picture[..., :side] == BEFORE).all()
        assert (picture[..., side : side + DIVIDER] == 0.9).all()
        assert (picture[..., side + DIVIDER :] == AFTER).all()


@pytest.mark.parametrize("seconds", [0, 1, WIPE_SECONDS / 4, 4.5, 100])
def test_a_wipe_shows_before_on_the_left_of_a_line(seconds: float) -> None:
    row = joined("wipe", *pair(), seconds, white=0.9)[0, 0]
    (line,) = torch.where(row == 0.9)
    assert (row[: line[0]] == BEFORE).all()
    assert (row[line[-1] + 1 :] == AFTER).all()
    assert line[0] <= round(wipe_at(seconds) * WIDTH) <= line[-1] + 1
    assert 0 < line[0]
    assert line[-1] < WIDTH - 1  # both sides are always seen


def test_the_wipe_goes_to_both_sides_and_comes_back() -> None:
    places = [wipe_at(WIPE_SECONDS * part / 40) for part in range(41)]
    assert min(places) == pytest.approx(0.05)
    assert max(places) == pytest.approx(0.95)
    assert places[0] == pytest.approx(places[-1]) == 0.5


def numbers(befores: list[Frame], afters: list[Frame], rate: int) -> list[tuple[int, int]]:
    return [
        (int(before.pixels[0, 0, 0]), int(after.pixels[0, 0, 0]))
        for before, after in in_step(befores, afters, Fraction(rate))
    ]


def test_frames_of_one_rate_go_with_each_other() -> None:
    assert numbers(clip(5, 30), clip(5, 30, scale=90_000), 30) == [(n, n) for n in range(5)]


def test_frames_of_other_rates_go_by_their_times() -> None:
    assert numbers(clip(10, 50), clip(5, 25), 50) == [(0, 0), (2, 1), (4, 2), (6, 3), (8, 4)]
    assert numbers(clip(3, 25), clip(6, 50), 25) == [(n // 2, n) for n in range(6)]


def test_it_ends_with_the_shorter_clip() -> None:
    for first, second in ((3, 7), (7, 3)):
        assert numbers(clip(first, 25), clip(second, 25), 25) == [(n, n) for n in range(3)]
    images = [Frame(torch.full((3, 1, 1), float(n))) for n in range(4)]
    assert numbers(images, clip(9, 25), 25) == [(n, n) for n in range(4)]
    assert numbers([], clip(2, 25), 25) == numbers(clip(2, 25), [], 25) == []
