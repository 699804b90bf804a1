"""Files that are whole or not there, even where the power fails: written aside, flushed to the disk, renamed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from .aside import hidden_name

_CANNOT_FLUSH = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
"""What file systems say that have no way to flush a file: some network drives and those of user programs."""


def write_durably(path: Path, text: str) -> None:
    """Write a text file that is on the disk afterwards. Raises OSError as writing does."""
    hidden = hidden_name(path)
    try:
        hidden.write_text(text, encoding="utf-8")
        publish_durably(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)


def publish_durably(hidden: Path, path: Path) -> None:
    """Give a finished file of the same folder its name; both are on the disk afterwards. Raises OSError."""
    flush(hidden)
    hidden.replace(path)
    _flush_folder(path.parent)


def flush(path: Path) -> None:
    """Put a file on the disk, or all files that lie in a folder. Raises OSError."""
    for part in (p for p in path.iterdir() if p.is_file()) if path.is_dir() else (path,):
        with part.open("rb+") as file:
            _sync(file.fileno())


def _sync(handle: int) -> None:
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise


def _flush_folder(folder: Path) -> None:
    """Put the names in a folder on the disk, where the system lets folders be opened; Windows does not."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _sync(handle)
    finally:
        os.close(handle)
