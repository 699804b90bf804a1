"""What a live run says of itself, and which frames it lets in."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.support.live_parts import frame
from tests.support.terminal import Clock
from vfe.live.frame import ShownFrame
from vfe.live.meter import SECONDS_SHOWN, Meter
from vfe.live.pace import Admission


def test_rates_shares_and_delays() -> None:
    clock = Clock()
    meter = Meter(clock)
    for _ in range(100):
        clock.now += 0.04
        meter.came()
        meter.went(clock.now - 0.25)
    meter.dropped(25)
    meter.restored(2, 0.1)
    figures = meter.figures()
    assert figures.fps_in == pytest.approx(25)
    assert figures.fps_out == pytest.approx(25)
    assert figures.delay_ms == pytest.approx(250)
    assert figures.dropped_share == pytest.approx(0.2)
    assert (figures.frames_in, figures.frames_out, figures.frames_dropped, figures.faces) == (100, 100, 25, 2)
    assert figures.as_line() == "25.0 of 25.0 frames/s, delay 250 ms (95 %: 250 ms), 20 % dropped, 2 faces"
    assert json.loads(json.dumps(figures.as_dict()))["restoring_ms"] == 100


def test_figures_are_of_now() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.came()
    meter.went(clock.now - 3)
    clock.now += SECONDS_SHOWN + 1
    figures = meter.figures()
    assert (figures.fps_in, figures.delay_ms, figures.frames_out) == (0, 0, 1)


def test_all_frames_are_let_in_where_restoring_is_fast() -> None:
    admission = Admission()
    admission.took(0.01)
    assert all(admission.lets_in(number / 25) for number in range(100))


@pytest.mark.parametrize("seconds", [0.05, 0.08, 0.2])
def test_frames_are_dropped_evenly_where_it_is_slow(seconds: float) -> None:
    admission = Admission()
    admission.took(seconds)
    let_in = [number / 25 for number in range(500) if admission.lets_in(number / 25)]
    assert len(let_in) == pytest.approx(20 / (1.03 * seconds), rel=0.05)
    gaps = np.diff(let_in)
    assert gaps.max() - gaps.min() < 0.041, "none waits two frames longer than another"


def test_after_a_pause_no_burst_is_let_in() -> None:
    admission = Admission()
    admission.took(0.1)
    times = [*(number / 25 for number in range(25)), *(10 + number / 25 for number in range(25))]
    let_in = [when for when in times if admission.lets_in(when)]
    assert sum(when >= 10 for when in let_in) <= 11


def test_views_of_a_frame() -> None:
    given = frame(10, side=8)
    shown = ShownFrame(given, np.full((8, 8, 3), 90, np.uint8))
    assert shown.of_view("before") is given.picture
    assert shown.of_view("after") is shown.restored
    split = shown.of_view("split")
    assert split.shape == (8, 8, 3)
    assert (split[:, :3] == 10).all()
    assert (split[:, 5:] == 90).all()
