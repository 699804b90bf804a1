"""What `python -m benchmarks.live` makes of what its readers saw."""

from __future__ import annotations

import pytest

from benchmarks.live import LiveRun, origin, report_text, summed_up


def test_the_clock_of_a_stream_is_found() -> None:
    uneven = [500.0, 500.04, 500.13, 500.17, 500.31]
    assert origin([when - 500 for when in uneven[1:]], uneven) == pytest.approx(500)


def test_what_a_reader_saw() -> None:
    pairs = [(number / 20, number / 20 + 0.3) for number in range(101)]
    seen = summed_up("page", pairs, fps_in=25)
    assert seen.fps == pytest.approx(20, rel=0.02)
    assert seen.delay_ms == pytest.approx(300)
    assert seen.dropped_share == pytest.approx(0.2, abs=0.01)
    text = report_text(LiveRun((seen,), 25.0, 60.0, 200.0, "a CPU, 2 cores", 1.5))
    assert "| page | 20.2 | 300 | 300 | 20 % |" in text
