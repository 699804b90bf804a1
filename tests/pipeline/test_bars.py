"""Black bars beside a picture stay to the bit, and the picture is restored as if it stood alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.support.tiny_lite import drifting_pattern, tiny_lite
from vfe.pipeline.bars import BLOCK, LEAST_SIDE, BetweenBars, picture_area
from vfe.pipeline.one_step import OneStepPipeline
from vfe.pipeline.tiling import Span
from vfe.pipeline.windows import WindowConfig
from vfe.types import Cancelled, CheckCancelled, never_cancelled

HEIGHT, WIDTH = 144, 176


def framed(picture: Tensor, top: int, left: int, level: float = 0) -> list[Tensor]:
    """Frames of 144x176 with a picture (3, T, h, w) in bars of a level of 255."""
    clip = torch.full((3, picture.shape[1], HEIGHT, WIDTH), level / 127.5 - 1)
    clip[..., top : top + picture.shape[-2], left : left + picture.shape[-1]] = picture
    return list(clip.unbind(1))


def picture(height: int, width: int, frames: int = 5) -> Tensor:
    return drifting_pattern(frames, height, width)[0]


class Noted:
    """Makes frames darker, and knows what it saw."""

    def __init__(self) -> None:
        self.seen: list[list[Tensor]] = []

    def window_for(self, height: int, width: int) -> WindowConfig:
        return WindowConfig(5 if (height, width) == (HEIGHT, WIDTH) else 9, 0)

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        check()
        self.seen.append(frames)
        return [frame * strength for frame in frames]


@pytest.mark.parametrize(
    ("top", "left", "height", "width"), [(16, 0, 112, WIDTH), (0, 32, HEIGHT, 128), (16, 16, 96, 80)]
)
def test_a_picture_on_blocks_is_restored_as_it_stands_alone(top: int, left: int, height: int, width: int) -> None:
    inner, pipeline = picture(height, width), OneStepPipeline(tiny_lite(0.02), WindowConfig(5, 1))
    alone = pipeline.restore(inner[None])[0]
    restored = list(pipeline.stream(framed(inner, top, left)))
    for given, expected in zip(restored, framed(alone, top, left), strict=True):
        assert torch.equal(given, expected)
    assert not torch.equal(alone, inner)


def test_between_blocks_its_edge_is_repeated() -> None:
    inner, noted = picture(81, 91), Noted()
    frames = framed(inner, 37, 53)
    restored = BetweenBars(noted).restore_window(frames, 0.5, never_cancelled)
    (seen,) = noted.seen
    assert seen[0].shape == (3, 81 + 37 % BLOCK, 91 + 53 % BLOCK)
    assert torch.equal(seen[2][:, 5:, 5:], inner[:, 2])
    assert torch.equal(seen[2][:, 0], seen[2][:, 5])
    for given, expected in zip(restored, framed(inner * 0.5, 37, 53), strict=True):
        assert torch.equal(given, expected)


def test_frames_without_bars_go_as_they_are() -> None:
    noted, frames = Noted(), list(picture(HEIGHT, WIDTH).unbind(1))
    restored = BetweenBars(noted).restore_window(frames, 0.5, never_cancelled)
    assert noted.seen[0] is frames
    assert torch.equal(restored[0], frames[0] * 0.5)
    assert BetweenBars(noted).window_for(HEIGHT, WIDTH) == WindowConfig(5, 0)


def test_black_frames_stay_and_can_be_stopped() -> None:
    noted, frames = Noted(), framed(torch.zeros(3, 5, 0, 0), 0, 0)
    for given, frame in zip(BetweenBars(noted).restore_window(frames, 0.5, never_cancelled), frames, strict=True):
        assert torch.equal(given, frame)
    assert not noted.seen

    def stopped() -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        BetweenBars(noted).restore_window(frames, 0.5, stopped)


def test_bars_are_what_is_black_in_all_frames() -> None:
    frames = framed(picture(100, WIDTH), 20, 0, level=2)
    area = picture_area(frames)
    assert area is not None
    assert (area.rows, area.columns) == (Span(20, 120), Span(0, WIDTH))
    frames[1][:, 10, 30:60] = 0  # a line of writing in one of them
    area = picture_area(frames)
    assert area is not None
    assert area.rows == Span(10, 120)


@pytest.mark.parametrize(("level", "width", "is_bar"), [(30, 8, True), (34, 1, False), (5, WIDTH, False)])
def test_what_a_codec_leaves_in_a_bar_is_no_picture(level: int, width: int, *, is_bar: bool) -> None:
    """It rings into bars, but not by much; a bar of grey, or with specks in it, is restored as ever."""
    frames = framed(picture(100, WIDTH), 20, 0)
    for frame in frames if width == WIDTH else frames[3:4]:
        frame[:, 10, :width] = level / 127.5 - 1
    area = picture_area(frames)
    assert area is not None
    assert area.rows.start == (20 if is_bar else 10)


@pytest.mark.parametrize(
    ("levels", "start"), [((), 20), ((40,), 20), ((8, 40), 20), ((2, 40), 20), ((4, 10, 40), 19), ((9, 12, 40), 17)]
)
def test_the_soft_edge_of_a_picture_stays_too(levels: tuple[int, ...], start: int) -> None:
    """A model would ring at it as at a hard one. At the border of a frame there is no edge."""
    frames = framed(torch.zeros(3, 5, 100, WIDTH), 20, 0)
    for frame in frames:
        for row, level in zip(range(20 - len(levels), 20), levels, strict=True):
            frame[:, row] = frame[:, 139 - row] = level / 127.5 - 1
    area = picture_area(frames)
    assert area is not None
    assert area.rows == Span(start, 140 - start)
    assert picture_area([frame[:, 20 - len(levels) :] for frame in frames]) is not None


@pytest.mark.parametrize(("at", "rows"), [(70, (70, 70 + LEAST_SIDE)), (140, (HEIGHT - LEAST_SIDE, HEIGHT))])
def test_a_light_in_the_dark_has_some_of_the_dark_around_it(at: int, rows: tuple[int, int]) -> None:
    area = picture_area(framed(torch.ones(3, 5, 3, WIDTH), at, 0))
    assert area is not None
    assert area.rows == Span(*rows)


def test_small_frames_are_not_made_larger() -> None:
    frames = [torch.full((3, 20, 8), -1.0) for _ in range(2)]
    for frame in frames:
        frame[:, 6:10] = 0
    area = picture_area(frames)
    assert area is not None
    assert area.is_whole(frames[0])


def test_batches_of_clips_have_the_bars_that_all_of_them_have() -> None:
    wide, tall = framed(picture(80, WIDTH), 32, 0), framed(picture(100, WIDTH), 20, 0)
    area = picture_area([torch.stack(pair) for pair in zip(wide, tall, strict=True)])
    assert area is not None
    assert area.rows == Span(20, 120)
