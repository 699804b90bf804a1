"""What tells one state of a file or a folder of frames from another."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ..files.fingerprint import fingerprint


@dataclass(frozen=True)
class Stamp:
    """Size in bytes and time of the last change in nanoseconds: of a folder, all its files' and the last of theirs."""

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Identity:
    """A stamp, and a digest that stays when a file is copied with another time."""

    size: int
    mtime_ns: int
    digest: str

    def is_of(self, path: Path) -> bool:
        """Return whether this is still what lies at `path`. Raises OSError as reading does."""
        stamp = stamp_of(path)
        if stamp is None or stamp.size != self.size:
            return False
        return stamp.mtime_ns == self.mtime_ns or _digest(path) == self.digest


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a file or of the visible files in a folder; None where nothing is, or an empty folder.

    Raises OSError where it cannot be known.
    """
    try:
        files = [status for _, status in _visible(path)] if path.is_dir() else [path.stat()]
    except FileNotFoundError:
        return None
    return Stamp(sum(f.st_size for f in files), max(f.st_mtime_ns for f in files)) if files else None


def identity_of(path: Path) -> Identity:
    """Return the identity of a source. Raises OSError where it cannot be read."""
    stamp = stamp_of(path)
    if stamp is None:
        raise FileNotFoundError(2, "No such file or directory", str(path))
    return Identity(stamp.size, stamp.mtime_ns, _digest(path))


def _digest(path: Path) -> str:
    """Return the fingerprint of a file; of a folder, a SHA-256 of the names, sizes and times of its files."""
    if not path.is_dir():
        return fingerprint(path)
    listed = b"".join(b"%s\0%d\0%d\0" % (os.fsencode(n), s.st_size, s.st_mtime_ns) for n, s in _visible(path))
    return hashlib.sha256(listed).hexdigest()


def _visible(folder: Path) -> list[tuple[str, os.stat_result]]:
    """Return names and facts of the files in a folder that are not hidden, by name."""
    with os.scandir(folder) as entries:
        return sorted((e.name, e.stat()) for e in entries if not e.name.startswith(".") and e.is_file())
