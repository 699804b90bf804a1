"""Outputs that send frames in a thread, so that nothing that is slow to take them makes the run wait."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ..frame import ShownFrame
from ..latest import Latest
from ..thread import Work

JOIN_SECONDS = 3.0
"""How long is waited at the end for what is being sent."""


class ThreadedOutput(ABC):
    """Sends the latest frame again and again; those that came while one was being sent are skipped but for the last."""

    def __init__(self) -> None:
        """Start the thread: called when all is there that `_send` needs."""
        self.skipped = 0
        """How many frames were not sent because a newer one came first."""
        self._place: Latest[ShownFrame] = Latest(self._skip)
        self._work = Work(self._run)
        self._work.start()

    def show(self, shown: ShownFrame) -> None:
        """Hand a frame to the thread. Raises what went wrong there, VFEError where nothing can be sent any more."""
        self._work.check()
        self._place.put(shown)

    def close(self) -> None:
        """End the thread when it has sent the last frame. Raises what went wrong there."""
        self._place.close()
        if self._work.join(JOIN_SECONDS):
            self._work.check()

    @abstractmethod
    def _send(self, shown: ShownFrame) -> None:
        """Send a frame; called in the thread."""

    @abstractmethod
    def _end(self) -> None:
        """Let go of everything, after the last frame; called in the thread."""

    def _skip(self, shown: ShownFrame) -> None:
        del shown
        self.skipped += 1

    def _run(self) -> None:
        while (shown := self._place.take()) is not None:
            self._send(shown)
        self._end()
