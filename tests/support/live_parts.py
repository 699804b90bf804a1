"""Parts of a live run that do what a test wants: frames from nowhere, no model, an output that remembers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from vfe.live.frame import LiveFrame, RawFrame, ShownFrame
from vfe.live.group import GROUP, LiveGroup
from vfe.types import VFEError

SECONDS = 20.0
"""How long a test waits for what should happen at once."""


def frame(number: int, taken: float | None = None, side: int = 16) -> LiveFrame:
    """A grey frame whose level is its number."""
    picture = np.full((side, side, 3), number % 256, np.uint8)
    return LiveFrame(number, time.monotonic() if taken is None else taken, picture)


def shown(number: int, side: int = 16) -> ShownFrame:
    """A frame that was made one level brighter."""
    given = frame(number, side=side)
    return ShownFrame(given, given.picture + 1)


class CountingSource:
    """Gives so many frames, as fast as they are taken or one after each `wait`."""

    def __init__(self, frames: int, wait: Callable[[], None] = lambda: None, error: str = "") -> None:
        self.stopped = threading.Event()
        self.is_closed = False
        self.given = 0
        self._count, self._wait, self._error = frames, wait, error

    def frames(self) -> Iterator[RawFrame]:
        """Yield them, and then end or break off."""
        for number in range(self._count):
            if self.stopped.is_set():
                return
            self._wait()
            given = frame(number)
            self.given = number + 1
            yield RawFrame(number, given.taken, partial(getattr, given, "picture"))
        if self._error:
            raise VFEError(self._error)

    def wait_for_more(self, frames: int) -> None:
        """Wait until so many more frames came, or all."""
        wanted, deadline = min(self.given + frames, self._count), time.monotonic() + SECONDS
        while self.given < wanted and time.monotonic() < deadline:
            time.sleep(0.001)

    def close(self) -> None:
        """Remember it."""
        self.is_closed = True


class NoFaces:
    """Follows nobody."""

    def __init__(self) -> None:
        self._frames: tuple[LiveFrame, ...] = ()

    def push(self, frame: LiveFrame) -> LiveGroup:
        """Gather frames as faces would be followed on them."""
        self._frames = (*self._frames, frame)[-GROUP:]
        return LiveGroup(self._frames)


class Brightener:
    """Makes frames one level brighter, after a `wait`."""

    def __init__(self, wait: Callable[[], None] = lambda: None) -> None:
        self.seconds = 0.0
        self.groups: list[tuple[int, ...]] = []
        self._wait = wait

    def warm_up(self) -> None:
        """Nothing is slow at first."""

    def restore(self, group: LiveGroup) -> list[ShownFrame]:
        """Remember which frames came together."""
        self.groups.append(tuple(frame.number for frame in group.frames))
        self._wait()
        return [ShownFrame(frame, frame.picture + 1) for frame in group.frames]


class Recorder:
    """An output that remembers, or fails."""

    where, skipped = "nowhere", 0

    def __init__(self, error: str = "") -> None:
        self.numbers: list[int] = []
        self._error = error

    def show(self, shown: ShownFrame) -> None:
        """Take a frame."""
        if self._error:
            raise VFEError(self._error)
        self.numbers.append(shown.frame.number)

    def close(self) -> None:
        """Nothing is open."""
