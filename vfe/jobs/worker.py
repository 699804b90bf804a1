"""Which process works on a segment, so that others leave it alone; and whether that process is still there."""

from __future__ import annotations

import os
import platform
import time
import zlib
from dataclasses import dataclass

import psutil

SILENT_SECONDS = 600
"""The seconds after which a worker on another machine, of which nothing more was heard, is taken for dead: our own
choice, more than a window takes anywhere. Where it lives after all, a segment is done twice, which does no harm."""
_START_TOLERANCE = 2  # seconds by which the system's answers on when a process began may differ


@dataclass(frozen=True)
class Worker:
    """A process, among all machines that share a disk."""

    host: str
    pid: int
    began: float
    """When the process began, in seconds since 1970: numbers of processes are used again."""

    @classmethod
    def this(cls) -> Worker:
        """Return this process."""
        return cls(platform.node(), os.getpid(), psutil.Process().create_time())

    def is_gone(self, heard: float) -> bool:
        """Return whether it is dead, or has said nothing for too long since `heard`, in seconds since 1970."""
        if self.host != platform.node():
            return time.time() - heard > SILENT_SECONDS
        try:
            return abs(psutil.Process(self.pid).create_time() - self.began) > _START_TOLERANCE
        except (psutil.Error, ValueError, OverflowError):
            return True

    @property
    def tag(self) -> str:
        """The part of a file's name that says which process writes it."""
        return f"{_short(self.host)}-{self.pid}"

    @staticmethod
    def pid_of(tag: str) -> int | None:
        """Return the number of the process of a tag; None where it is one of another machine, or no tag."""
        host, _, pid = tag.removeprefix(".").partition("-")
        return int(pid) if host == _short(platform.node()) and pid.isascii() and pid.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


def _short(host: str) -> str:
    return f"{zlib.crc32(host.encode()):08x}"
