"""A thread whose errors are raised where somebody waits for its work."""

from __future__ import annotations

import threading
from collections.abc import Callable

from av.error import FFmpegError

HANDED_ON = (ValueError, OSError, RuntimeError, MemoryError, FFmpegError)
"""What goes wrong for reasons outside of this program, VFEError among it. Others are bugs, which Python prints."""


class Work:
    """Something that a thread of its own does; the process does not wait for it at its end."""

    def __init__(self, work: Callable[[], None], ended: Callable[[], None] | None = None) -> None:
        """`ended` is called in the thread after the work, whether it was done or failed."""
        self._work, self._ended = work, ended
        self._error: BaseException | None = None
        self._is_done = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def has_failed(self) -> bool:
        """Whether the work ended before it was done."""
        return self._error is not None or not (self._is_done or self._thread.is_alive())

    def start(self) -> None:
        """Begin the work."""
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """Wait for the end of the work, but no longer than so; return whether it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def check(self) -> None:
        """Raise what the work has failed by."""
        if self._error is not None:
            raise self._error
        if self.has_failed:
            raise RuntimeError("a thread ended by an error that is printed above; please report it")

    def _run(self) -> None:
        try:
            self._work()
            self._is_done = True
        except HANDED_ON as error:
            self._error = error
        finally:
            if self._ended is not None:
                self._ended()
