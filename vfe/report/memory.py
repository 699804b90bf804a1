"""The most memory that this process has taken so far."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import psutil
import torch


@dataclass(frozen=True)
class PeakMemory:
    """Peaks in bytes since the process started, which in a long-lived one may be those of an earlier run."""

    process: int
    """Memory of the machine."""
    device: int | None
    """What PyTorch took of a CUDA device; None where none was used."""

    def __or__(self, other: PeakMemory) -> PeakMemory:
        """Return the higher peaks of two processes."""
        devices = [peak for peak in (self.device, other.device) if peak is not None]
        return PeakMemory(max(self.process, other.process), max(devices, default=None))

    @classmethod
    def now(cls) -> PeakMemory:
        """Return the peaks up to now."""
        used = torch.cuda.is_available() and torch.cuda.is_initialized()
        return cls(_peak_of_process(), torch.cuda.max_memory_allocated() if used else None)


def _peak_of_process() -> int:
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB, macOS in bytes
