"""How far a run is, in words: the pace of work that comes in bursts, and lines that people read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.comfy_pack import Loose, part

FRAMES, WINDOW, SECONDS = 100, 20, 4.0  # seconds that a window takes


def phases(*names: str) -> Loose:
    return part("nodes.host.phases").Phases(names, "frames", 0.0)


def bursts() -> Iterator[tuple[int, float]]:
    """(frames done, time) of each report of a run in windows: some while one is computed, then its frames at once."""
    for first in range(0, FRAMES, WINDOW):
        start = SECONDS * first / WINDOW
        yield from ((first, start + SECONDS * part / 3) for part in range(1, 4))
        yield from ((first + frame, start + SECONDS + frame / 1000) for frame in range(1, WINDOW + 1))


def test_the_pace_of_bursts_is_that_of_windows() -> None:
    pace = part("nodes.host.phases").Pace(0.0)
    guesses = []
    for done, now in bursts():
        pace.report(done, now)
        left = pace.seconds_left(FRAMES, now)
        if left is not None:
            guesses.append(now + left)
    assert len(guesses) > FRAMES // 2
    assert guesses == pytest.approx([SECONDS * FRAMES / WINDOW] * len(guesses), abs=0.5)


def test_the_pace_of_even_work_is_known_from_its_first_step() -> None:
    pace = part("nodes.host.phases").Pace(10.0)
    pace.report(0, 10.0)
    assert pace.seconds_left(50, 10.0) is None
    pace.report(1, 10.5)
    assert pace.seconds_left(50, 10.5) == pytest.approx(24.5)
    pace.report(50, 35.0)
    assert pace.seconds_left(50, 35.0) is None


def test_a_line_says_the_phase_and_how_long_it_takes() -> None:
    run = phases("Finding faces", "Restoring")
    assert run.text(0, None, 0.0) == "Finding faces"
    assert run.text(7, None, 0.0) == "Finding faces: 7 frames"
    run.pace.report(0, 0.0)
    run.pace.report(20, 2.0)
    assert run.text(20, 300, 2.0) == "Finding faces: 20 of 300 frames, about 28 s until restoring"
    run.begin_next(2.0)
    run.pace.report(10, 12.0)
    assert run.text(10, 300, 12.0) == "Restoring: 10 of 300 frames, about 5 min left"
    assert run.text(301, 300, 12.0) == "Restoring: 300 of 300 frames, about 5 min left"  # the container was wrong
    assert phases("Restoring").text(0, 1, 0.0) == "Restoring"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (59, "59 s"), (61, "2 min"), (3599, "60 min"), (4000, "1 h 6 min")]
)
def test_lengths_are_for_people(seconds: float, text: str) -> None:
    assert part("nodes.host.phases").length_text(seconds) == text
