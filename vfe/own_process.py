"""What a process of our own, the command or training, asks of glibc and of GNU's OpenMP: our own choice.

A host, as ComfyUI is, keeps its own ways.
"""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
LARGEST_IN_HEAP = 32 << 20  # bytes: the most that glibc takes for it
KEPT_FREE = 1 << 30  # bytes
SPINS = 5000


def keep_freed_memory() -> None:
    """Let malloc keep the memory of tensors that are freed for those that follow, up to a gigabyte.

    By default it returns each block to the system, which clears every page of the next one: a seventh of the time of
    the part for frames on a CPU. Where malloc is another than glibc's, nothing changes.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_IN_HEAP)
        mallopt(M_TRIM_THRESHOLD, KEPT_FREE)


def wait_briefly() -> None:
    """Let threads that wait for each other leave the processor soon, unless the environment says how they wait.

    By default they hold it for 300 000 turns. Alone on a machine that is as fast, but beside another program restoring
    took 1.6 times as long. Called before torch is imported, or without effect.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))
