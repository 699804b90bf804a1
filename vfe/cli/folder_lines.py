"""What `vfe enhance` says of many files: a line for each, those at work now on a terminal, and a table at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TextIO

from ..batch.plan import FileTask, Made, Skipped
from ..batch.run import Ended, Event, Noted, Under
from .progress import LOG_SECONDS, REDRAW_SECONDS, RewrittenLine, progress_text
from .text import one_line_name, say

LISTED_FAILURES = 100
"""The failures that the table names."""


class FolderLines:
    """Writes what happens. Leaving the `with` block writes the table, however it is left."""

    def __init__(
        self, out: TextIO, err: TextIO, total: int | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`out` gets the lines and the table, `err` the progress; `total` is the number of files where it is known."""
        self._out, self._err, self._total, self._clock = out, err, total, clock
        self._line = RewrittenLine(err)
        self._at_work: dict[Path, _AtWork] = {}
        self._shown = clock()
        self.done = self.skipped = self.planned = 0
        self.failed: dict[Path, str] = {}

    def __enter__(self) -> FolderLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.clear()
        for line in self.table():
            say(line, self._out)

    @property
    def count(self) -> int:
        """The files that are done with."""
        return self.done + self.skipped + self.planned + len(self.failed)

    def tell(self, event: Event) -> None:
        """Write what happened."""
        if isinstance(event, Noted):
            self.note(event.text)
        elif isinstance(event, Under):
            self._show_progress(event)
        else:
            self._end(event)

    def note(self, text: str) -> None:
        """Write something that a person should know."""
        self._say(f"note: {text}")

    def would_restore(self, task: FileTask) -> None:
        """Write what a dry run would do with a file."""
        self.planned += 1
        given = " ".join(f"{name}={value}" for name, value in task.given.named.items())
        self._say(f"{self._place()}{one_line_name(task.clip.name)}: would be restored to {one_line_name(task.output)}")
        if given:
            self._say(f"  with {given}")

    def table(self) -> list[str]:
        """Return how many files came to which end, and why files failed."""
        rows = [("done", self.done), ("skipped", self.skipped), ("failed", len(self.failed))]
        rows = [("to be restored", self.planned), *rows[1:]] if self.planned else rows
        unended = [one_line_name(name) for name in self._at_work]
        rows += [("interrupted", len(unended))] if unended else []
        width = max(len(name) for name, _ in rows)
        digits = max(len(str(number)) for _, number in rows)
        lines = [f"{name:{width}}  {number:{digits}}" for name, number in rows]
        listed = list(self.failed.items())[:LISTED_FAILURES]
        lines += [f"  {one_line_name(name)}: {reason}" for name, reason in listed]
        more = len(self.failed) - len(listed)
        return [*lines, f"  and {more} more, each with its line above"] if more else lines

    def _end(self, event: Ended) -> None:
        self._at_work.pop(event.name, None)
        outcome = event.outcome
        self.failed.pop(event.name, None)  # a watched file may be better the second time
        if isinstance(outcome, Made):
            self.done += 1
            rate = f", {outcome.frames / outcome.seconds:.1f} frames/s" if outcome.seconds else ""
            plural = "" if outcome.frames == 1 else "s"
            text = f"{outcome.frames} frame{plural} in {outcome.seconds:.1f} s{rate}"
            text += f": {one_line_name(event.output)}" if event.output else ""
        elif isinstance(outcome, Skipped):
            self.skipped += 1
            text = f"skipped: {outcome.reason}"
        else:
            self.failed[event.name] = outcome.reason
            text = f"failed: {outcome.reason}"
        self._say(f"{self._place()}{one_line_name(event.name)}: {text}")
        for note in outcome.notes if isinstance(outcome, Made) else ():
            self._say(f"  note: {note}")

    def _place(self) -> str:
        """Return such as `[3/10] `: the files that are done with, of all."""
        return f"[{self.count}/{self._total}] " if self._total is not None else f"[{self.count}] "

    def _show_progress(self, event: Under) -> None:
        """Show how far the files at work are: on a terminal all of them in one line, in a log now and then."""
        now = self._clock()
        work = self._at_work.setdefault(event.name, _AtWork(now))
        work.update(now, *event.progress)
        rewrites = self._line.is_on_terminal
        if now - self._shown < (REDRAW_SECONDS if rewrites else LOG_SECONDS) or not (rewrites or event.progress.done):
            return
        self._shown = now
        texts = [f"{one_line_name(name)} {work.text(now)}" for name, work in self._at_work.items()]
        if rewrites:
            self._line.rewrite("; ".join(texts))
        else:
            say("; ".join(texts), self._err)

    def _say(self, text: str) -> None:
        self._line.clear()
        say(" ".join(text.splitlines()), self._out)


class _AtWork:
    """How far one file is."""

    def __init__(self, now: float) -> None:
        self._started, self._done = now, 0
        self._total: int | None = None

    def update(self, now: float, done: int, total: int | None) -> None:
        """Take what was reported; less than before is the second pass over the file."""
        if done < self._done:
            self._started = now
        self._done, self._total = done, total

    def text(self, now: float) -> str:
        """Return such as `120/300 frames, 24.1 frames/s, 0:07 left`."""
        return progress_text(self._done, self._total, now - self._started)
