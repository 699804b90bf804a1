"""Whatever the times of a file are like, ours are those that the ffmpeg program makes of them."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from tests.support.ffmpeg_times import Times, ffmpeg, needs_ffmpeg, pass_through, reference
from tests.support.odd_files import CONTAINERS, GAPS, H264, JOINED, LATE, PICTURE, TONE, Odd

pytestmark = needs_ffmpeg


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of H.264 with B-frames, and a tone."""
    path = tmp_path_factory.mktemp("base") / "base.mp4"
    ffmpeg(*PICTURE, *TONE, *H264, "-c:a", "aac", path)
    return path


def ticks(path: Path) -> tuple[Fraction, Fraction]:
    """The units of the picture and of the sound of a file, in seconds."""
    with av.open(str(path)) as container:
        units = [s.time_base or Fraction(1) for s in (*container.streams.video[:1], *container.streams.audio[:1])]
    return units[0], units[-1]


def rising(times: list[Fraction], tick: Fraction) -> list[Fraction]:
    """Times of which none falls: ffmpeg passes falling ones on (joined parts that overlap a little), a file may not."""
    found: list[Fraction] = []
    for when in times:
        found.append(max(when, found[-1] + tick) if found else when)
    return found


def assert_alike(ours: Times, theirs: Times, source: Path, target: Path, slack: float) -> None:
    """Within a tick: times of all frames, and where each stream of sound begins and ends."""
    (before, sound_before), (after, sound_after) = ticks(source), ticks(target)
    assert len(ours.frames) == len(theirs.frames)
    wanted = rising(theirs.frames, before)
    assert max(abs(a - b) for a, b in zip(ours.frames, wanted, strict=True)) <= max(before, after)
    assert all(a < b for a, b in pairwise(ours.frames))
    assert [len(ours.sound), len(theirs.sound)] == [len(theirs.sound)] * 2
    for mine, its in zip(ours.sound, theirs.sound, strict=True):
        assert max(abs(a - b) for a, b in zip(mine, its, strict=True)) <= max(sound_before, sound_after) + Fraction(
            slack
        )


@pytest.mark.parametrize("odd", [*JOINED, *GAPS, *LATE, *CONTAINERS], ids=lambda odd: odd.name)
def test_times_are_those_of_ffmpeg(tmp_path: Path, base: Path, odd: Odd) -> None:
    source = tmp_path / odd.name
    odd.make(base, source)
    ours = pass_through(source, tmp_path / "out.mp4")
    assert_alike(ours, reference(source, odd.sound), source, tmp_path / "out.mp4", odd.slack)
    assert any("where recordings were joined" in note for note in ours.notes) == (odd in JOINED)
    assert any("damaged or cut short" in note for note in ours.notes) == (odd.name in {"cut.mkv", "cut.avi"})
