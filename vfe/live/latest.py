"""Places of one thing between threads, in which what is new takes the place of what nobody has taken yet.

They are all that lies between the threads of a live run: nothing can pile up, so that nothing can become late.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """A place of one thing. Who puts never waits; who takes waits for something that was not taken before."""

    def __init__(self, dropped: Callable[[T], None] | None = None) -> None:
        """`dropped` hears of each thing that was replaced before anybody took it."""
        self._dropped = dropped
        self._changed = threading.Condition()
        self._thing: T | None = None
        self._is_closed = False

    def put(self, thing: T) -> None:
        """Put a thing here, in the place of one that nobody took. After `close` nothing is taken any more."""
        with self._changed:
            replaced, self._thing = self._thing, thing
            self._changed.notify_all()
        if replaced is not None and self._dropped is not None:
            self._dropped(replaced)

    def take(self) -> T | None:
        """Wait for a thing and take it; None when the place is closed, and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._thing is not None or self._is_closed)
            thing, self._thing = self._thing, None
            return thing

    def wait(self, seconds: float) -> bool:
        """Wait until there is a thing, or the place is closed, but no longer than so; return whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thing is not None or self._is_closed, timeout=max(0.0, seconds))

    def close(self) -> None:
        """Say that nothing follows; what is still here can be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
