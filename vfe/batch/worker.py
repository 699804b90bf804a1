"""A process that does tasks, such as restoring files, one after another, with a model of its own.

What goes through the pipe: a task down; up `Ready` when the model is loaded, `Progressed` now and then, and for each
task what became of it, for a file a `Made` or a `Failed`. None down ends it, and so does the end of the process at the
other side.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import NamedTuple, TypeVar

from ..own_process import INTERRUPTED, keep_freed_memory, share_processor, signals_interrupt, wait_briefly
from ..types import Progress
from .plan import Failed, FileTask, Made

REPORT_SECONDS = 0.1
"""The least seconds between two reports of progress."""

TaskT = TypeVar("TaskT")
DoneT = TypeVar("DoneT")

DoTask = Callable[[TaskT, Progress], DoneT]
"""Does a task. What it raises is a bug, and ends the process."""
LoadTools = Callable[[], DoTask[TaskT, DoneT] | Failed]
"""Loads what tasks need. It is pickled, for it is called in the worker."""
RestoreFile = DoTask[FileTask, Made | Failed]
"""Restores one file."""
Load = LoadTools[FileTask, Made | Failed]
"""Loads the model."""


class Ready(NamedTuple):
    """The model is loaded."""


class Progressed(NamedTuple):
    """So many frames of a file are done, of `total` where that is known."""

    done: int
    total: int | None


def work(connection: Connection, load: LoadTools[TaskT, DoneT], processes: int) -> None:
    """Load what is needed and do what comes; `processes` share the machine."""
    keep_freed_memory()
    wait_briefly()
    share_processor(processes)
    try:
        with signals_interrupt(process_ends=True):
            _serve(connection, load)
    except (KeyboardInterrupt, EOFError, ConnectionError):  # stopped, or nobody is at the other side any more
        sys.exit(INTERRUPTED)


def _serve(connection: Connection, load: LoadTools[TaskT, DoneT]) -> None:
    do = load()
    if isinstance(do, Failed):
        connection.send(do)
        return
    connection.send(Ready())
    while (task := connection.recv()) is not None:
        connection.send(do(task, _Reporter(connection)))


class _Reporter:
    """A `Progress` that goes through a pipe, not too often."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sent = -REPORT_SECONDS

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._sent >= REPORT_SECONDS or done in (0, total):
            self._sent = now
            self._connection.send(Progressed(done, total))
