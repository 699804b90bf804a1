"""The place between following and restoring: the newest frames, of which a group is taken as soon as it is whole."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .frame import LiveFrame
from .group import GROUP, LiveGroup


class FreshFrames:
    """Holds the last GROUP frames at most. Who puts never waits; older frames that nobody took are dropped."""

    def __init__(self, dropped: Callable[[int], None]) -> None:
        """`dropped` hears of how many frames were dropped."""
        self._dropped = dropped
        self._changed = threading.Condition()
        self._group: LiveGroup | None = None
        self._taken = -1  # the number of the last frame that was taken
        self._is_closed = False

    def put(self, group: LiveGroup) -> None:
        """Put the newest frames here, of which all but the last may have been here before."""
        first = group.frames[0].number
        with self._changed:
            lost = [frame for frame in self._fresh() if frame.number < first]
            self._group = group
            self._changed.notify_all()
        if lost:
            self._dropped(len(lost))

    def take(self) -> LiveGroup | None:
        """Wait for GROUP frames that nobody took, and take them.

        When the place is closed, take those that are left, or None.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or len(self._fresh()) == GROUP)
            count = len(self._fresh())
            if self._group is None or not count:
                return None
            self._taken = self._group.frames[-1].number
            return self._group.last(count)

    def close(self) -> None:
        """Say that nothing follows; what is still here can be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _fresh(self) -> list[LiveFrame]:
        return [] if self._group is None else [frame for frame in self._group.frames if frame.number > self._taken]
