"""Putting files on the disk, and file systems that cannot."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from vfe.files.durable import flush


def failing(monkeypatch: pytest.MonkeyPatch, code: int) -> list[int]:
    """Make the system refuse to flush; returns the list of the files that it was asked for."""
    asked: list[int] = []

    def fsync(handle: int) -> None:
        asked.append(handle)
        raise OSError(code, "refused")

    monkeypatch.setattr("vfe.files.durable.os.fsync", fsync)
    return asked


def test_the_files_of_a_folder_but_not_those_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    for name in ("1.png", "2.png", "below/3.png"):
        (tmp_path / name).touch()
    asked = failing(monkeypatch, errno.EINVAL)
    flush(tmp_path)
    assert len(asked) == 2


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_without_a_way_to_is_no_error(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").touch()
    assert len(failing(monkeypatch, code)) == 0
    flush(tmp_path / "a.mp4")


def test_a_disk_that_fails_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").touch()
    failing(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="refused"):
        flush(tmp_path / "a.mp4")
