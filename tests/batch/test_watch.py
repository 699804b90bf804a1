"""Clips that appear while a folder is watched: each is taken once, when it has stopped growing."""

from __future__ import annotations

from pathlib import Path

import pytest

from vfe.batch.watch import LOOK_SECONDS, SETTLED_SECONDS, Watch


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A watched folder, in which time passes when somebody looks."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.watch = Watch(folder, folder / "out", self.clock)

    def after(self, seconds: float) -> list[str]:
        """The names of the clips that are taken so much later."""
        self.clock.now += seconds
        found = self.watch.next()
        return [clip.name.as_posix() for clip in found.clips] if found else []


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_file_is_taken_when_it_has_stopped_growing(watched: Watched, tmp_path: Path) -> None:
    assert watched.after(0) == []
    path = tmp_path / "a.mp4"
    for size in range(3):
        path.write_bytes(b"x" * size)
        assert watched.after(SETTLED_SECONDS) == []
    assert watched.after(SETTLED_SECONDS - 0.1) == []
    assert watched.after(LOOK_SECONDS) == ["a.mp4"]
    assert watched.after(SETTLED_SECONDS) == []


def test_a_file_that_changes_is_taken_again(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert [watched.after(SETTLED_SECONDS) for _ in range(3)] == [[], ["a.mp4"], []]
    (tmp_path / "a.mp4").write_bytes(b"xx")
    assert [watched.after(SETTLED_SECONDS) for _ in range(3)] == [[], ["a.mp4"], []]


def test_a_folder_of_frames_waits_for_its_last(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "reel").mkdir()
    for index in range(3):
        (tmp_path / "reel" / f"{index}.png").write_bytes(b"x")
        assert watched.after(SETTLED_SECONDS) == []
    assert watched.after(SETTLED_SECONDS) == ["reel"]


def test_looks_are_not_too_frequent(watched: Watched, tmp_path: Path) -> None:
    assert watched.watch.next() is not None
    assert watched.watch.next() is None
    (tmp_path / "a.mp4").touch()
    assert watched.after(LOOK_SECONDS / 2) == []


def test_a_folder_that_is_gone_for_a_while(tmp_path: Path) -> None:
    folder = tmp_path / "drive"
    watched = Watched(folder)
    assert watched.after(0) == []
    folder.mkdir()
    (folder / "a.mp4").touch()
    assert [watched.after(SETTLED_SECONDS) for _ in range(2)] == [[], ["a.mp4"]]
