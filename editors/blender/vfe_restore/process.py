"""A run of `vfe` that is followed without waiting for it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Thread
from typing import IO, NamedTuple

from .command import environment, hidden

PATIENCE = 5.0
"""The seconds after which a process that was told to end is ended."""
KEPT_LINES = 30
ERROR = "vfe: error: "
RESTORING = "restoring"
"""What the last pass over a file is called; one before it looks for faces."""


class Progress(NamedTuple):
    """How far a run is; the total is None where nobody knows it."""

    stage: str
    done: int
    total: int | None


class Process:
    """A process and what it says. Its output is read by threads, so that it never waits for a reader."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start it. Raises OSError where that fails."""
        self.progress: Progress | None = None
        self.looked = False
        """Whether it went through the file before, for faces."""
        self.notes: deque[str] = deque(maxlen=KEPT_LINES)
        """What it said of the result."""
        self._errors: deque[str] = deque(maxlen=KEPT_LINES)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=environment(os.environ),
            creationflags=hidden(),
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        readers = ((self._process.stdout, self._hear), (self._process.stderr, self._hear_error))
        self._threads = [Thread(target=_read, args=reader, daemon=True) for reader in readers]
        for thread in self._threads:
            thread.start()

    def code(self) -> int | None:
        """Return the exit code of a process that has ended and said all, None before."""
        code = self._process.poll()
        return None if code is None or any(thread.is_alive() for thread in self._threads) else code

    def error(self) -> str:
        """Return in one line why it failed."""
        lines = [line for line in self._errors if line.strip()]
        told = [line for line in lines if line.startswith(ERROR)]
        if told:
            return told[-1].removeprefix(ERROR)
        return lines[-1].strip() if lines else f"vfe ended with code {self._process.returncode}"

    def end(self) -> None:
        """End it and wait until it has ended: with time to tidy up, where the system has a way to say so."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        until = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _hear(self, line: str) -> None:
        if line.startswith("note: "):
            self.notes.append(line.removeprefix("note: "))

    def _hear_error(self, line: str) -> None:
        progress = read_progress(line)
        if progress is None:
            self._errors.append(line)
        else:
            self.progress = progress
            self.looked = self.looked or progress.stage != RESTORING


def read_progress(line: str) -> Progress | None:
    """Return what a line of `vfe --progress json` says, None for any other line."""
    if not line.startswith("{"):
        return None
    try:
        told = json.loads(line)
        stage, done, total = told["stage"], told["done"], told["total"]
    except (ValueError, KeyError, RecursionError):
        return None
    fits = isinstance(stage, str) and isinstance(done, int) and isinstance(total, int | None)
    return Progress(stage, done, total) if fits else None


def _read(stream: IO[str], hear: Callable[[str], None]) -> None:
    with stream:
        for line in stream:
            hear(line.rstrip("\r\n"))
