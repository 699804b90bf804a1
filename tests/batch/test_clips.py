"""Which clips a folder or a glob holds, and which folders of images are one clip."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vfe.batch.clips import Found, find_clips


def tree(root: Path, *names: str) -> Path:
    """Empty files of these names below a folder; a name that ends in / is a folder."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.touch()
    return root


def names(found: Found | None) -> list[str]:
    assert found is not None
    return [clip.name.as_posix() for clip in found.clips]


def test_videos_come_in_natural_order_from_all_folders(tmp_path: Path) -> None:
    tree(tmp_path, "b10.mp4", "b9.AVI", "B9.mp4", "a/c.mkv", "a.mkv", "a10/x.ts", "a9/x.ts", "text.txt", "a/sound.mp3")
    found = find_clips(tmp_path, tmp_path / "out")
    assert names(found) == ["a/c.mkv", "a9/x.ts", "a10/x.ts", "a.mkv", "b9.AVI", "B9.mp4", "b10.mp4"]
    assert found is not None
    assert [clip.path for clip in found.clips] == [tmp_path / clip.name for clip in found.clips]


@pytest.mark.parametrize(
    "files",
    [("1.png", "2.png"), ("1.png", "thumbs/1.png"), ("1.png", "notes.txt"), ("1.png", ".hidden.mp4", ".h/a.mp4")],
)
def test_a_folder_of_images_alone_is_one_clip(files: tuple[str, ...], tmp_path: Path) -> None:
    tree(tmp_path, *files)
    assert find_clips(tmp_path, tmp_path / "out") is None
    assert find_clips(tmp_path / "*", tmp_path / "out") is None


def test_files_and_what_is_not_there_are_no_batch(tmp_path: Path) -> None:
    tree(tmp_path, "a.mp4", "a[1].mp4")
    for name in ("a.mp4", "a[1].mp4", "none.mp4"):
        assert find_clips(tmp_path / name, tmp_path / "out") is None


def test_folders_of_frames_in_a_tree_are_clips(tmp_path: Path) -> None:
    tree(tmp_path, "reel2/1.png", "reel2/2.png", "reel10/1.tif", "reel2/thumbs/1.jpg", "reel2/empty/")
    found = find_clips(tmp_path, tmp_path / "out")
    assert names(found) == ["reel2", "reel10"]
    assert found is not None
    assert found.notes == (
        f"{tmp_path / 'reel2/thumbs'} is passed over: it is in a folder of images, which are frames",
    )


def test_images_beside_or_above_videos_are_pictures(tmp_path: Path) -> None:
    tree(tmp_path, "poster.jpg", "camera/1.jpg", "camera/2.mp4", "film/cover.png", "film/disc/a.vob", "reel/1.png")
    expected = ["camera/1.jpg", "camera/2.mp4", "film/cover.png", "film/disc/a.vob", "poster.jpg", "reel"]
    assert names(find_clips(tmp_path, tmp_path / "out")) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.mp4", ["a.mp4", "b.mp4"]),
        ("**/*.mp4", ["a.mp4", "b.mp4", "sub/c.mp4"]),
        ("s*", ["sub/c.mp4"]),
        ("*", ["1.png", "a.mp4", "b.mp4", "frames", "sub/c.mp4"]),
        ("f*", ["frames"]),
        ("*.vob", []),
    ],
)
def test_a_glob_takes_files_and_folders(pattern: str, expected: list[str], tmp_path: Path) -> None:
    tree(tmp_path, "a.mp4", "b.mp4", ".c.mp4", "1.png", "sub/c.mp4", "frames/1.png")
    found = find_clips(tmp_path / pattern, tmp_path / "out")
    assert names(found) == expected
    assert found is not None
    assert found.root == tmp_path


def test_what_is_hidden_or_made_by_us_is_passed_over(tmp_path: Path) -> None:
    tree(tmp_path, "a.mp4", ".b.mp4", ".c/d.mp4", "out/e.mp4", "a.restored.mp4", "f.restored.mp4")
    found = find_clips(tmp_path, tmp_path / "out")
    assert names(found) == ["a.mp4", "f.restored.mp4"]
    assert found is not None
    assert found.notes == (f"{tmp_path / 'a.restored.mp4'} is passed over: it is the result of a file beside it",)


def test_links_lead_to_each_folder_once(tmp_path: Path) -> None:
    tree(tmp_path, "tapes/a/x.mp4", "other/y.mp4")
    (tmp_path / "tapes" / "circle").symlink_to(tmp_path / "tapes")
    (tmp_path / "tapes" / "itself").symlink_to("itself")
    (tmp_path / "tapes" / "other").symlink_to(tmp_path / "other")
    (tmp_path / "tapes" / "nowhere.mp4").symlink_to("nothing")
    found = find_clips(tmp_path / "tapes", tmp_path / "out")
    assert names(found) == ["a/x.mp4", "nowhere.mp4", "other/y.mp4"]
    assert found is not None
    assert found.notes == (f"{tmp_path / 'tapes/circle'} is passed over: it is a link to {tmp_path / 'tapes'}",)


def test_a_folder_that_cannot_be_looked_into_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "a.mp4", "locked/b.mp4")
    scandir = os.scandir

    def refuse(path: Path) -> object:  # root may read everywhere
        if path.name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("vfe.batch.clips.os.scandir", refuse)
    found = find_clips(tmp_path, tmp_path / "out")
    assert names(found) == ["a.mp4"]
    assert found is not None
    assert found.unread[0][0] == tmp_path / "locked"
    assert "Permission denied" in found.unread[0][1]


def test_a_tree_deeper_than_python_recurses(tmp_path: Path) -> None:
    deep = tree(tmp_path, "notes.txt")
    for _ in range(40):
        deep = deep / "/".join("a" * 30)
        deep.mkdir(parents=True)
    (deep / "x.mp4").touch()
    found = find_clips(tmp_path, tmp_path / "out")
    (deep / "x.mp4").unlink()
    os.removedirs(deep)  # for what pytest removes folders with recurses
    assert found is not None
    assert len(found.clips[0].name.parts) == 1201


def test_pictures_are_no_frames(tmp_path: Path) -> None:
    tree(tmp_path, "1.png", "2.png", "reel/1.png")
    assert find_clips(tmp_path, tmp_path / "out") is None
    assert names(find_clips(tmp_path, tmp_path / "out", pictures=True)) == ["1.png", "2.png", "reel/1.png"]


def test_a_watched_folder_is_never_one_clip(tmp_path: Path) -> None:
    tree(tmp_path, "1.png", "2.png", "reel/1.png")
    assert names(find_clips(tmp_path, tmp_path / "out", watch=True)) == ["1.png", "2.png", "reel"]
