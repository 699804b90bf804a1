"""The clock of a clip, in frames of its media."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

pytest.importorskip("opentimelineio", reason="OpenTimelineIO is not installed here")

from opentimelineio.opentime import RationalTime

from tests.support.timelines import span
from vfe.timeline.clip_time import frames_of, origin_of, rate_of, stretch_of
from vfe.timeline.media import MediaFile
from vfe.timeline.timecode import Timecode
from vfe.types import Stretch, VFEError

HOUR = 90000


def media(timecode: int | None = None) -> MediaFile:
    told = None if timecode is None else Timecode(timecode, False)
    return MediaFile(Path("a.mov"), Fraction(25), 1000, told, ".mov")


@pytest.mark.parametrize(
    ("available", "timecode", "used", "origin"),
    [
        ((0, 1000), None, 40, 0),
        ((HOUR, 1000), None, HOUR + 40, HOUR),  # the timeline knows a timecode that the file has lost
        ((HOUR, 1000), HOUR, HOUR + 40, HOUR),
        ((0, 1000), HOUR, 40, 0),  # a program that counts from zero
        ((HOUR + 100, 200), HOUR, HOUR + 140, HOUR),  # a part of the file is named
        ((100, 200), None, 140, 0),
        ((HOUR + 100, 200), None, HOUR + 140, HOUR + 100),  # times that are not the file's own
        (None, HOUR, HOUR + 40, HOUR),
        (None, None, 40, 0),
        (None, HOUR, 40, 0),  # of no use as a timecode, but as a place in the file
        ((HOUR, 1000), None, 40, 0),
    ],
)
def test_where_the_first_frame_is_by_the_clips_clock(
    available: tuple[float, float] | None, timecode: int | None, used: int, origin: int
) -> None:
    told = None if available is None else span(*available)
    assert origin_of(told, media(timecode), Fraction(used), from_zero=False) == origin


def test_projects_of_kdenlive_count_from_the_first_frame() -> None:
    assert origin_of(span(100, 200), media(HOUR), Fraction(140), from_zero=True) == 0


def test_a_clip_that_reads_nothing_of_the_file_is_refused() -> None:
    with pytest.raises(VFEError, match="is read from frame 5000 on, and has 1000 frames"):
        origin_of(None, media(), Fraction(5000), from_zero=False)


@pytest.mark.parametrize(("rate", "exact"), [(23.976, "24000/1001"), (23.98, "24000/1001"), (59.94, "60000/1001"),
                                             (24000 / 1001, "24000/1001"), (25, "25"), (12.5, "25/2")])  # fmt: skip
def test_rates_are_meant_exactly(rate: float, exact: str) -> None:
    assert str(rate_of(rate)) == exact


def test_frames_of_one_rate_are_counted_one_to_one() -> None:
    slow = Fraction(30000, 1001)
    assert frames_of(RationalTime(108000, 30), slow) == 108000
    assert frames_of(RationalTime(108000, 29.97), slow) == 108000
    assert frames_of(RationalTime(50, 25), Fraction(50)) == 100


def test_floats_are_whole_frames_again() -> None:
    start = frames_of(RationalTime(100.0000001, 25), Fraction(25))
    assert stretch_of(start, start + frames_of(RationalTime(9.99999, 25), Fraction(25))) == Stretch(100, 110)


@pytest.mark.parametrize(
    "time", [(float("nan"), 25), (float("inf"), 25), (1e300, 25), (1, 0), (1, -5), (1, float("inf"))]
)
def test_times_that_are_none_are_refused(time: tuple[float, float]) -> None:
    with pytest.raises(VFEError, match="has a"):
        frames_of(RationalTime(*time), Fraction(25))


def test_a_clip_without_frames_is_refused() -> None:
    with pytest.raises(VFEError, match="has no frames"):
        stretch_of(Fraction(10), Fraction(10))
