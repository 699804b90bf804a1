"""How a process of our own, the command or training, behaves: what it asks of glibc and of OpenMP, and what signals do.

All of it is our own choice. A host, as ComfyUI is, keeps its own ways.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h
KEPT_FREE = 1 << 30  # bytes
SPINS = 5000
INTERRUPTED = 130
"""The exit code that shells report for a command that Ctrl-C ended."""
CLEANUP_SECONDS = 2.0
"""The seconds for which a second signal is not listened to."""


def keep_freed_memory() -> None:
    """Let malloc keep the memory of tensors that are freed for those that follow, up to a gigabyte.

    By default it returns each large block to the system, which clears every page of the next one: a seventh of the time
    of the part for frames on a CPU. Where malloc is another than glibc's, nothing changes.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)  # no threshold would do: glibc takes none above 32 MB, and tensors are larger
        mallopt(M_TRIM_THRESHOLD, KEPT_FREE)


def wait_briefly() -> None:
    """Let threads that wait for each other leave the processor soon, unless the environment says how they wait.

    By default they hold it for 300 000 turns. Alone on a machine that is as fast, but beside another program restoring
    took 1.6 times as long. Called before torch is imported, or without effect.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))


def share_processor(processes: int) -> None:
    """Let this process compute in its share of the processor's cores, unless the environment says in how many threads.

    Called before torch is imported, or without effect.
    """
    if processes > 1:
        cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // processes)))


@contextmanager
def signals_interrupt(process_ends: bool) -> Iterator[None]:
    """Make Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt, so that half-written files are removed.

    A signal that is being ignored (nohup) stays so. Handlers are put back at the end; where the process ends with an
    interrupted run, signals are ignored from then on, so that an impatient second one does not change its exit code.
    """
    previous = {}
    interrupt = _Interrupt()
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                previous[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_IGN if interrupt.raised and process_ends else handler)


class _Interrupt:
    """The handler of signals that raises KeyboardInterrupt.

    An impatient second signal is not to interrupt the cleaning up after the first.
    """

    def __init__(self) -> None:
        self.raised: float | None = None
        """When it raised last, in seconds of the monotonic clock."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        now = time.monotonic()
        if self.raised is None or now - self.raised >= CLEANUP_SECONDS:
            self.raised = now
            raise KeyboardInterrupt
