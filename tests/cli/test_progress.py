"""The progress line, on a terminal and in a log."""

from __future__ import annotations

import io
import json

from tests.support.terminal import Clock, Terminal
from vfe.cli.progress import LOG_SECONDS, ProgressLine, ProgressPercent, ProgressRecords, clock_text, progress_text


def run_clip(stream: io.StringIO, total: int | None) -> ProgressLine:
    """60 frames at 4 frames/s."""
    clock = Clock()
    progress = ProgressLine(stream, clock)
    for done in range(61):
        progress(done, total)
        clock.now += 0.25
    return progress


def test_terminal_gets_one_rewritten_line() -> None:
    stream = Terminal()
    run_clip(stream, 60).clear()
    text = stream.getvalue()
    assert "\n" not in text
    assert "[############............] 30/60 frames, 4.0 frames/s, 0:08 left" in text
    last = "[########################] 60/60 frames, 4.0 frames/s, 0:00 left"
    assert text.rsplit("\r", 2)[-2:] == [" " * len(last), ""]


def test_log_gets_a_line_now_and_then() -> None:
    stream = io.StringIO()
    run_clip(stream, 60).clear()
    lines = stream.getvalue().splitlines()
    assert lines == [f"{done}/60 frames, 4.0 frames/s, 0:{(60 - done) // 4:02} left" for done in (20, 40, 60)]
    assert LOG_SECONDS == 5


def test_unknown_total_has_no_bar_and_no_time_left() -> None:
    stream = Terminal()
    run_clip(stream, None)
    assert "30 frames, 4.0 frames/s" in stream.getvalue()
    assert "left" not in stream.getvalue()
    assert "[" not in stream.getvalue()


def test_a_total_that_was_too_small_is_no_trouble() -> None:
    assert progress_text(12, 10, 2.0) == "12/10 frames, 6.0 frames/s, 0:00 left"
    assert progress_text(0, 10, 0.0) == "0/10 frames"


def test_clock_text() -> None:
    assert [clock_text(seconds) for seconds in (0.4, 59.6, 3599, 3725)] == ["0:00", "1:00", "59:59", "1:02:05"]


def test_programs_get_a_line_of_json_twice_a_second() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = ProgressRecords(stream, "finding faces", clock)
    for done in (0, 1, 2, 3, 0, 1, 2, 3):
        progress(done, 3)
        clock.now += 0.25
    looking, restoring = "finding faces", "restoring"
    stages = [(looking, 0), (looking, 2), (looking, 3), (restoring, 0), (restoring, 2), (restoring, 3)]
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert told == [{"stage": stage, "done": done, "total": 3} for stage, done in stages]


def test_a_total_that_nobody_knows_is_null() -> None:
    stream = io.StringIO()
    ProgressRecords(stream)(0, None)
    assert stream.getvalue() == '{"stage": "restoring", "done": 0, "total": null}\n'


def percentages(first: str, passes: int, total: int | None = 4) -> list[str]:
    stream = io.StringIO()
    progress = ProgressPercent(stream, first)
    for _ in range(passes):
        for done in range(5):
            progress(done, total)
    progress.clear()
    return stream.getvalue().splitlines()


def test_editing_programs_get_percentages() -> None:
    assert percentages("", 1) == [f"percentage: {percent}" for percent in (0, 25, 50, 75, 100)]
    assert percentages("finding faces", 2) == [f"percentage: {p}" for p in (0, 12, 25, 37, 50, 62, 75, 87, 100)]
    assert percentages("", 1, None) == []
