"""The machine that a measurement ran on, the memory that it took, and the tables that show it."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

MIB = 1024**2
RESULTS = Path(__file__).parent / "results"


def cpu_name() -> str:
    """The processor's name and the cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_cpu_model()}, {cores} cores"


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")  # platform.processor() is empty on Linux
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def peak_rss() -> float | None:
    """The most memory that this process has held, in MiB; None on Windows, where the standard library cannot tell.

    On Linux from /proc: there `ru_maxrss` starts from what the parent process had.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next((row for row in status.read_text().splitlines() if row.startswith("VmHWM:")), "VmHWM: 0 kB")
        return int(line.split()[1]) / 1024
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; columns after the first are aligned right."""
    rule = [":--"] + ["--:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))
