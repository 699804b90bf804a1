"""Timecodes are those of OpenTimelineIO, with frames that drop-frame leaves out and without."""

from __future__ import annotations

from fractions import Fraction

import pytest

pytest.importorskip("opentimelineio", reason="OpenTimelineIO is not installed here")

from opentimelineio.opentime import RationalTime, to_timecode

from vfe.timeline.timecode import Timecode, counted_rate, read_timecode, timecode_text

DROPPING = (Fraction(30000, 1001), Fraction(60000, 1001))
AROUND_MINUTES = (0, 1, 1797, 1798, 1799, 1800, 1801, 3597, 3598, 17981, 17982, 17983, 107891, 107892, 215784, 1294704)


@pytest.mark.parametrize("fps", DROPPING)
@pytest.mark.parametrize("start", AROUND_MINUTES)
def test_drop_frame_is_that_of_opentimelineio(fps: Fraction, start: int) -> None:
    for frames in (start, start + 7, 2 * start + 3):
        text = timecode_text(Timecode(frames, True), fps)
        assert text == to_timecode(RationalTime(frames, float(fps)), float(fps), True)


@pytest.mark.parametrize("fps", [*DROPPING, Fraction(24), Fraction(25), Fraction(24000, 1001), Fraction(50)])
@pytest.mark.parametrize("drops", [False, True])
def test_a_timecode_is_read_as_it_was_written(fps: Fraction, drops: bool) -> None:
    for frames in range(0, 40_000, 997):
        wanted = Timecode(frames, drops and fps in DROPPING)
        text = timecode_text(wanted, fps)
        assert text is not None
        assert read_timecode(text, fps) == wanted


def test_an_hour_without_drop_frame_counts_whole_frames() -> None:
    assert timecode_text(Timecode(108000, False), Fraction(30000, 1001)) == "01:00:00:00"
    assert timecode_text(Timecode(90037, False), Fraction(25)) == "01:00:01:12"


def test_a_day_begins_anew_after_24_hours() -> None:
    assert timecode_text(Timecode(25 * 3600 * 25, False), Fraction(25)) == "01:00:00:00"


@pytest.mark.parametrize("text", ["", "01:00:00", "01:00:00:25", "01:61:00:00", "aa:bb:cc:dd", "1:2:3:4:5"])
def test_what_is_no_timecode_is_none(text: str) -> None:
    assert read_timecode(text, Fraction(25)) is None


@pytest.mark.parametrize("fps", [Fraction(2983, 100), Fraction(1, 3), Fraction(12501, 1000) * 2])
def test_odd_rates_have_no_timecode(fps: Fraction) -> None:
    near = counted_rate(fps)
    assert near is None or abs(fps - near) / near < Fraction(1, 500)
    assert (timecode_text(Timecode(3, False), fps) is None) == (near is None)
