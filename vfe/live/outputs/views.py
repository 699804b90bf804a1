"""The views of a live run as JPEG, for readers of different speeds.

Every reader gets the newest picture when it is ready for one: a slow one sees fewer, and nobody waits for it.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from ..frame import ShownFrame
from .jpeg import JpegEncoder

VIEWS = ("after", "before", "split")
MOST_READERS = 16
"""Streams at a time; another reader is told to come later."""


class Jpeg(NamedTuple):
    """A picture of a view, and of which frame it is."""

    number: int
    taken: float
    content: bytes


class Views:
    """The newest JPEG of each view that somebody looks at."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = dict.fromkeys(VIEWS, 0)
        self._newest: dict[str, Jpeg] = {}
        self._is_closed = False
        self._encoders = {view: JpegEncoder() for view in VIEWS}

    def enter(self, view: str) -> bool:
        """Count a reader of a view; return False where there are too many."""
        with self._changed:
            if sum(self._readers.values()) >= MOST_READERS:
                return False
            self._readers[view] += 1
            return True

    def leave(self, view: str) -> None:
        """Count a reader less."""
        with self._changed:
            self._readers[view] -= 1
            if not self._readers[view]:
                self._newest.pop(view, None)

    def update(self, shown: ShownFrame) -> None:
        """Encode a frame for the views that somebody looks at."""
        with self._changed:
            wanted = [view for view, readers in self._readers.items() if readers]
        for view in wanted:
            jpeg = self._encoders[view].encode(shown.of_view(view))
            with self._changed:
                self._newest[view] = Jpeg(shown.frame.number, shown.frame.taken, jpeg)
                self._changed.notify_all()

    def after(self, view: str, number: int) -> Jpeg | None:
        """Wait for a picture of a later frame than `number`, and return it; None when the run has ended."""

        def newer() -> bool:
            return self._is_closed or (view in self._newest and self._newest[view].number > number)

        with self._changed:
            self._changed.wait_for(newer)
            return None if self._is_closed else self._newest[view]

    def close(self) -> None:
        """Let all readers go."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
