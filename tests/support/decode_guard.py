"""Every file that a test opens is first read by another process, so that a crash or a hang is a failed test."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import av
import pytest

from tests.support.paths import ROOT

LIMIT = 60.0  # seconds for one file; the largest takes one


class DecodeGuard:
    """A process that reads files before the test does."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._errors = tempfile.TemporaryFile()
        self._worker: subprocess.Popen[str] | None = None
        self._read: set[tuple[str, int, int]] = set()

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.communicate()
        self._errors.close()

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
        worker = self._worker = self._worker or self._start()
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(f"{self._limit} {how} {path}\n")
        worker.stdin.flush()
        if worker.stdout.readline() != "read\n":
            self._worker = None
            with worker:  # which closes its pipes
                code = worker.wait()
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace")
            pytest.fail(f"reading {path} ended a process (code {code}): {said[-2000:]}")

    def _start(self) -> subprocess.Popen[str]:
        self._errors.truncate(0)
        command = [sys.executable, "-m", "tests.support.decode_worker"]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=self._errors, text=True)


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
