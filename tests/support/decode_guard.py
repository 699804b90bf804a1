"""Every file that a test opens is first read by another process, so that a crash or a hang is a failed test."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import av
import pytest

from tests.support.watched import Watched, WorkerDied

LIMIT = 60.0  # seconds for one file; the largest takes one


class DecodeGuard:
    """A process that reads files before the test does."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._worker = Watched("tests.support.decode_worker", limit)
        self._read: set[tuple[str, int, int]] = set()

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def check(self, source: object) -> None:
        """Fail the test if reading a file, given by its name or its bytes, ends a process or takes too long."""
        if isinstance(source, io.BytesIO):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "of_memory"
                path.write_bytes(source.getbuffer())
                self._check(path, "memory")
        elif isinstance(source, str | os.PathLike):
            path = Path(os.fspath(source).removeprefix("file:"))
            if path.is_file() and "\n" not in str(path):
                status = path.stat()
                seen = (str(path), status.st_size, status.st_mtime_ns)
                if seen not in self._read:
                    self._check(path, "file")
                    self._read.add(seen)

    def _check(self, path: Path, how: str) -> None:
        try:
            self._worker.ask(f"{how} {path}")
        except WorkerDied as died:
            pytest.fail(f"reading {path} {died}")


@contextmanager
def guarded(guard: DecodeGuard) -> Iterator[None]:
    """Let `guard` read first whatever is opened for reading with `av.open`, by tests and by the package alike."""
    unguarded = av.open

    def opened(file: Any, mode: Any = None, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        if mode in (None, "r"):
            guard.check(file)
        return unguarded(file, mode, *args, **options)

    with mock.patch.object(av, "open", opened):
        yield
