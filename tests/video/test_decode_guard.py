"""The guard itself: a hang and a crash fail the test that opened the file, and the next file is read again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import av
import pytest
from _pytest.outcomes import Failed

from tests.support.decode_guard import DecodeGuard, guarded
from tests.support.media import Media, make
from vfe.video.probe import probe


@pytest.fixture
def guard() -> Iterator[DecodeGuard]:
    guard = DecodeGuard(limit=5)
    yield guard
    guard.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are POSIX ones")
def test_a_hang_fails_the_test(tmp_path: Path, guard: DecodeGuard) -> None:
    os.mkfifo(tmp_path / "never.mp4")
    with mock.patch.object(Path, "is_file", lambda _: True):
        with pytest.raises(Failed, match=r"never\.mp4 ended a process(.|\n)*Timeout"):
            guard.check(tmp_path / "never.mp4")
    guard.check(make(tmp_path / "a.mp4"))  # by a new process


def test_a_crash_fails_the_test(tmp_path: Path, guard: DecodeGuard) -> None:
    command = [sys.executable, "-c", "input(); import os; os.abort()"]
    path = make(tmp_path / "a.mp4")
    started = subprocess.Popen
    with mock.patch.object(subprocess, "Popen", lambda _, **rest: started(command, **rest)):
        with pytest.raises(Failed, match=r"a\.mp4 ended a process"):
            guard.check(path)


def test_what_the_package_opens_is_read_before_and_once(tmp_path: Path, guard: DecodeGuard) -> None:
    path = make(tmp_path / "a.mp4", Media(audio="aac"))
    with mock.patch.object(guard, "_check", wraps=guard._check) as check, guarded(guard):
        probe(path)
        with av.open(str(path)):
            pass
    check.assert_called_once_with(path, "file")
