"""What is said of many files: lines, those at work, the table."""

from __future__ import annotations

import io
from pathlib import Path

from tests.support.pool_work import task
from tests.support.terminal import Clock, Terminal
from vfe.batch.plan import Failed, Made, Skipped
from vfe.batch.run import Ended, Noted, Under
from vfe.batch.worker import Progressed
from vfe.cli.folder_lines import LISTED_FAILURES, FolderLines
from vfe.cli.progress import LOG_SECONDS


def test_a_line_for_each_file_and_a_table() -> None:
    out = io.StringIO()
    with FolderLines(out, io.StringIO(), 3) as lines:
        lines.tell(Noted("two\nlines"))
        lines.tell(Ended(Path("a.mp4"), Made(1, 2.0, ("it was cut short",)), Path("out/a.mp4")))
        lines.tell(Ended(Path("b.mp4"), Skipped("done before")))
        lines.tell(Ended(Path("c\n.mp4"), Failed("it is bad")))
    assert out.getvalue().splitlines() == [
        "note: two lines",
        "[1/3] a.mp4: 1 frame in 2.0 s, 0.5 frames/s: out/a.mp4",
        "  note: it was cut short",
        "[2/3] b.mp4: skipped: done before",
        r"[3/3] c\n.mp4: failed: it is bad",
        "done     1",
        "skipped  1",
        "failed   1",
        r"  c\n.mp4: it is bad",
    ]


def test_the_table_comes_after_an_interruption_too() -> None:
    out = io.StringIO()
    try:
        with FolderLines(out, io.StringIO(), None) as lines:
            lines.tell(Under(Path("a.mp4"), Progressed(1, 2)))
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert out.getvalue() == "done         0\nskipped      0\nfailed       0\ninterrupted  1\n"


def test_a_watched_file_that_is_mended_has_not_failed() -> None:
    with FolderLines(io.StringIO(), io.StringIO(), None) as lines:
        lines.tell(Ended(Path("a.mp4"), Failed("it is bad")))
        lines.tell(Ended(Path("a.mp4"), Made(1, 1.0)))
        assert lines.table() == ["done     1", "skipped  0", "failed   0"]


def test_a_table_of_many_failures_is_cut() -> None:
    with FolderLines(io.StringIO(), io.StringIO(), None) as lines:
        for index in range(LISTED_FAILURES + 5):
            lines.tell(Ended(Path(f"{index}.mp4"), Failed("it is bad")))
        assert lines.table()[-1] == "  and 5 more, each with its line above"
        assert len(lines.table()) == 3 + LISTED_FAILURES + 1


def test_a_terminal_shows_those_at_work_in_one_line() -> None:
    err, clock = Terminal(), Clock()
    lines = FolderLines(io.StringIO(), err, None, clock)
    for done in (0, 10):
        for name in ("a.mp4", "b.mp4"):
            clock.now += 1
            lines.tell(Under(Path(name), Progressed(done, 20)))
    assert "a.mp4 10/20 frames, 5.0 frames/s, 0:02 left" in err.getvalue()
    last = err.getvalue().rpartition("\r")[2]
    assert last.startswith("a.mp4 10/20 frames, 3.3 frames/s, 0:03 left; b.mp4 10/20 frames")
    assert "\n" not in err.getvalue()
    lines.tell(Ended(Path("a.mp4"), Made(20, 1.0)))
    assert err.getvalue().endswith("\r")


def test_a_log_gets_a_line_now_and_then() -> None:
    err, clock = io.StringIO(), Clock()
    lines = FolderLines(io.StringIO(), err, None, clock)
    for done in range(6):
        lines.tell(Under(Path("a.mp4"), Progressed(done, None)))
        clock.now += LOG_SECONDS / 2
    assert err.getvalue().splitlines() == [f"a.mp4 {done} frames, 0.4 frames/s" for done in (2, 4)]


def test_a_second_pass_counts_anew() -> None:
    err, clock = io.StringIO(), Clock()
    lines = FolderLines(io.StringIO(), err, None, clock)
    for done in (20, 0, 10):
        clock.now += LOG_SECONDS
        lines.tell(Under(Path("a.mp4"), Progressed(done, 20)))
    assert err.getvalue().splitlines()[-1] == "a.mp4 10/20 frames, 2.0 frames/s, 0:05 left"


def test_a_dry_run_says_where_files_would_go() -> None:
    out = io.StringIO()
    with FolderLines(out, io.StringIO(), 1) as lines:
        lines.would_restore(task("a.mp4", Path("x")))
    assert out.getvalue().splitlines()[0] == "[1/1] a.mp4: would be restored to x/out/a.mp4"
    assert "to be restored  1" in out.getvalue()
