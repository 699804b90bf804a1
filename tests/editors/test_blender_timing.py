"""Which frames of its file a strip of Blender shows, and where a strip with some of them must begin."""

from __future__ import annotations

import pytest

from editors.blender.vfe_restore.timing import Frames, Play, Timing, play_of

PLAIN = Timing(start=1.0, offset=10.0, duration=12, length=50)


def test_a_strip_shows_what_its_offsets_leave() -> None:
    assert PLAIN.shown() == Frames(10, 22)
    assert PLAIN.needed(0) == Frames(10, 22)
    assert PLAIN.needed(5) == Frames(5, 27)


def test_handles_end_where_the_content_does() -> None:
    assert PLAIN.needed(30) == Frames(0, 50)
    assert Timing(start=1.0, offset=10.0, duration=12, length=50, skipped=8).needed(30) == Frames(8, 58)


def test_a_strip_that_is_longer_than_its_file_shows_all_of_it() -> None:
    assert Timing(start=1.0, offset=-5.0, duration=90, length=50).shown() == Frames(0, 50)
    assert Timing(start=1.0, offset=-20.0, duration=5, length=50).shown() == Frames(0, 1)
    assert Timing(start=1.0, offset=70.0, duration=5, length=50).shown() == Frames(49, 50)


def frame_shown(timing: Timing, start: float, length: int, at: int) -> int:
    """The number in its content of the frame that a strip shows at a time, as Blender computes it."""
    index = (at - start) * timing.speed
    index = length - 1 - index if timing.is_reversed else index
    return int(max(0, min(length - 1, index)))


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("skipped", [0, 7])
@pytest.mark.parametrize("frames", [(0, 60), (9, 45), (17, 29), (16, 50)])
def test_a_strip_of_the_result_shows_the_same_frames(is_reversed: bool, skipped: int, frames: tuple[int, int]) -> None:
    timing = Timing(1.0, 10.0, 12, 50, skipped=skipped, is_reversed=is_reversed)
    result = Frames(*frames) if not is_reversed else Frames(60 - frames[1] + skipped, 60 - frames[0] + skipped)
    if not timing.fits(result):
        assert not result.holds(timing.shown())
        return
    assert result.stop is not None
    moved = timing.start + timing.moved(result)
    for at in range(11, 23):
        original = timing.skipped + frame_shown(timing, timing.start, timing.length, at)
        assert result.first + frame_shown(timing, moved, result.stop - result.first, at) == original


def test_the_frames_of_another_rate_stay_where_they_are() -> None:
    """At 30 to 25 frames/s, six frames of the file are five of the scene."""
    timing = Timing(1.0, 50.0, 10, 300, play=Play.BY_RATE, speed=1.2)
    assert timing.shown() == Frames(60, 72)
    assert timing.step == 6
    needed = timing.needed(8)
    assert needed == Frames(48, 80)
    assert timing.moved(needed) == 40
    assert not timing.fits(Frames(49, 80))


def test_where_nothing_can_be_moved_the_head_stays() -> None:
    for play in (Play.FASTER, Play.UNSURE):
        timing = Timing(1.0, 10.0, 12, 50, play=play, speed=1.5)
        assert timing.needed(2).first == 0
        assert timing.fits(Frames(0, 40))
        assert not timing.fits(Frames(1, 50))
        assert timing.moved(Frames(0, 40)) == 0


def test_of_speeds_that_change_all_of_the_file_is_needed() -> None:
    timing = Timing(1.0, 10.0, 12, 50, skipped=3, play=Play.RETIMED)
    assert timing.needed(4) == Frames(3, None)
    assert timing.fits(Frames(3, None))
    assert not timing.fits(Frames(0, None))


def test_frames_that_stay_for_longer_begin_before_the_strip() -> None:
    assert Timing(1.0, 10.0, 12, 50, strobe=3.0).shown().first == 8


@pytest.mark.parametrize(
    ("length", "play"),
    [(250, Play.BY_RATE), (300, Play.PLAIN), (280, Play.RETIMED)],
)
def test_the_length_tells_how_a_strip_is_played(length: int, play: Play) -> None:
    assert play_of(300, length, 1.2) is play


def test_of_a_short_clip_nobody_knows() -> None:
    assert play_of(300, 300, 1001 / 1000) is Play.UNSURE
    assert play_of(300, 123, 1.0) is Play.PLAIN


def test_frames_hold_others() -> None:
    assert Frames(3, None).holds(Frames(3, None))
    assert Frames(3, None).holds(Frames(4, 9))
    assert not Frames(3, 9).holds(Frames(3, None))
    assert not Frames(3, 9).holds(Frames(2, 5))
    assert Frames(3, 9).with_other(Frames(1, None)) == Frames(1, None)
