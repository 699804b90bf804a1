"""While a process works on something it says so on the disk, for others to see and to leave that alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..types import Progress
from ..video.errors import writing
from .records import Held, SegmentFiles
from .worker import Worker

_HEARTBEAT = 2.0  # seconds between two notes on how far it is


@contextmanager
def holding(files: SegmentFiles, on_progress: Progress) -> Iterator[Progress]:
    """Say that this process works on a segment, until the end of the block.

    Yields a progress callback that also notes how far it is, and passes everything on to `on_progress`. Raises VFEError
    where nothing can be written.
    """
    worker, since, noted = Worker.this(), time.time(), 0.0

    def note(done: int) -> None:
        nonlocal noted
        if not noted or time.monotonic() - noted > _HEARTBEAT:
            noted = time.monotonic()
            with writing(files.chunk):
                files.hold(Held(worker, since, done))

    def report(done: int, total: int | None) -> None:
        note(done)
        on_progress(done, total)

    note(0)
    try:
        yield report
    finally:
        files.release()
