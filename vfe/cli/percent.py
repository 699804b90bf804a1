"""Progress of work that is no video: one rewritten line on a terminal, nothing in a log."""

from __future__ import annotations

from typing import TextIO


class PercentLine:
    """A `Progress` callback that writes what is being done and how much of it is done."""

    def __init__(self, stream: TextIO, doing: str) -> None:
        """`doing` says what is being done, such as "checking model.safetensors"."""
        self.stream = stream
        self.doing = doing
        self.shown = ""

    def __call__(self, done: int, total: int | None) -> None:
        """Write `done` as percent of `total`, where that is known, if the stream is a terminal."""
        text = f"{self.doing}: {100 * done // total} %" if total else self.doing
        if text != self.shown and self.stream.isatty():
            self._write(text.ljust(len(self.shown)))
            self.shown = text

    def clear(self) -> None:
        """Take the line off the terminal, so that what follows starts at a clean line."""
        if self.shown:
            self._write(" " * len(self.shown) + "\r")
            self.shown = ""

    def _write(self, text: str) -> None:
        self.stream.write("\r" + text)
        self.stream.flush()
