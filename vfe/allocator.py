"""How a process of our own, the command or training, keeps memory: our own choice, for Linux with glibc."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
LARGEST_IN_HEAP = 32 << 20  # bytes: the most that glibc takes for it
KEPT_FREE = 1 << 30  # bytes


def keep_freed_memory() -> None:
    """Let malloc keep the memory of tensors that are freed for those that follow, up to a gigabyte.

    By default it returns each block to the system, which clears every page of the next one: a seventh of the time of
    restoring, or training, on a CPU. Where malloc is another than glibc's, nothing changes. A host, as
    ComfyUI is, keeps its own ways.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_IN_HEAP)
        mallopt(M_TRIM_THRESHOLD, KEPT_FREE)
