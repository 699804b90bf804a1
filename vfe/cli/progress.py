"""Progress for people, one rewritten line on a terminal or a plain line now and then in a log; and for programs."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from typing import TextIO

from .text import printable, say

REDRAW_SECONDS = 0.1
"""The least seconds between two lines on a terminal."""
LOG_SECONDS = 5.0
"""The least seconds between two lines in a log."""
RECORD_SECONDS = 0.5
"""The least seconds between two lines for a program."""
RESTORING = "restoring"
"""What programs are told that the last pass over a file does."""
BAR_WIDTH = 24
"""The length of the bar in characters."""


class RewrittenLine:
    """One line of a terminal that is written again and again."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.is_on_terminal = stream.isatty()
        self._width = 0  # characters of the line on the terminal now

    def rewrite(self, text: str) -> None:
        """Write a text over the one before."""
        text = text[: max(10, shutil.get_terminal_size().columns - 1)]  # a wrapped line cannot be rewritten
        self.stream.write("\r" + printable(text, self.stream).ljust(self._width))
        self.stream.flush()
        self._width = len(text)

    def clear(self) -> None:
        """Take the line off the terminal, so that what follows starts at a clean line."""
        if self._width:
            self.rewrite("")
            self.stream.write("\r")
            self.stream.flush()


class ProgressLine:
    """A `Progress` callback that writes frames done, frames/s and the time left to a stream."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic, first: str = "") -> None:
        """`first` says what the first pass over the file does, where there are two."""
        self.line = RewrittenLine(stream)
        self.label = f"{first}: " if first else ""
        self.clock = clock
        self.started = self.shown = clock()
        self.before: int | None = None  # frames that were done when this began, by an earlier run
        self.done = 0

    def __call__(self, done: int, total: int | None) -> None:
        """Write the frames that are done, of `total` where that is known, unless a line was written just now."""
        now = self.clock()
        if done < self.done:  # a second pass over the file
            self.before, self.label = None, ""
        if self.before is None:
            self.started, self.before = now, done
        self.done = done
        rewrites = self.line.is_on_terminal
        if now - self.shown < (REDRAW_SECONDS if rewrites else LOG_SECONDS) and not (rewrites and done == 0):
            return
        self.shown = now
        text = self.label + progress_text(done, total, now - self.started, self.before)
        if rewrites:
            bar = f"{_bar(done, total)} " if total else ""
            self.line.rewrite(bar + text)
        else:
            say(text, self.line.stream)

    def clear(self) -> None:
        """Take the line off the terminal, so that what follows starts at a clean line."""
        self.line.clear()


class ProgressRecords:
    """A `Progress` callback that writes lines of JSON, by which another program follows this one.

    A line is such as `{"stage": "restoring", "done": 12, "total": 300}`; the total is null where nobody knows it.
    """

    def __init__(self, stream: TextIO, first: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        """`first` says what the first pass over the file does, where there are two."""
        self.stream, self.clock = stream, clock
        self.stage = first or RESTORING
        self.done = 0
        self.shown: float | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Write the frames that are done, of `total`, unless a line was written just now."""
        now = self.clock()
        if done < self.done:  # a second pass over the file
            self.stage, self.shown = RESTORING, None
        self.done = done
        if self.shown is None or now - self.shown >= RECORD_SECONDS or done == total:
            self.shown = now
            say(json.dumps({"stage": self.stage, "done": done, "total": total}), self.stream)

    def clear(self) -> None:
        """Do nothing: each line is whole."""


class ProgressPercent:
    """A `Progress` callback that writes lines such as `percentage: 42`, as melt does, which editing programs read.

    Where there are two passes over the file, each counts half; where no total is known nothing is written.
    """

    def __init__(self, stream: TextIO, first: str = "") -> None:
        """`first` says what the first pass over the file does, where there are two."""
        self.stream = stream
        self.passes = 2 if first else 1
        self.before = 0  # passes that are over
        self.done, self.percent = 0, -1

    def __call__(self, done: int, total: int | None) -> None:
        """Write how much is done, of `total`, unless that was written already."""
        if done < self.done:  # a second pass over the file
            self.before = self.passes - 1
        self.done = done
        if not total:
            return
        percent = int(100 * (self.before + min(done / total, 1)) / self.passes)
        if percent > self.percent:
            self.percent = percent
            say(f"percentage: {percent}", self.stream)

    def clear(self) -> None:
        """Do nothing: each line is whole."""


def shown_as(form: str, stream: TextIO, first: str = "") -> ProgressLine | ProgressRecords | ProgressPercent:
    """Return what writes progress in a form of the command line; `first` says what a first of two passes does."""
    if form == "json":
        return ProgressRecords(stream, first)
    return ProgressPercent(stream, first) if form == "percent" else ProgressLine(stream, first=first)


def progress_text(done: int, total: int | None, seconds: float, before: int = 0) -> str:
    """Return such as `120/300 frames, 24.1 frames/s, 0:07 left`.

    `before` frames were done before the seconds began. A total is what the container says, and there may be more
    frames.
    """
    rate = (done - before) / seconds if seconds > 0 else 0.0
    text = f"{done}/{total} frames" if total else f"{done} frames"
    if not rate:
        return text
    text += f", {rate:.1f} frames/s"
    return f"{text}, {clock_text(max(0, total - done) / rate)} left" if total else text


def clock_text(seconds: float) -> str:
    """Return seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bar(done: int, total: int) -> str:
    """Return a bar that is filled as far as the work is done."""
    filled = BAR_WIDTH * min(done, total) // total
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}]"
