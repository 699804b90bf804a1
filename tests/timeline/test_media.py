"""Media are found by their names, also where the timeline comes from another machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clips import write_image
from tests.support.timelines import Tape, write_tape
from vfe.timeline.media import MediaFinder, NotForUs, describe
from vfe.timeline.timecode import Timecode
from vfe.types import VFEError


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    for name in ("day1/cam/A001.mov", "day2/cam/A001.mov", "day2/B002.mov", "cut/near.mov"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("near.mov", "cut/near.mov"),
        ("C:\\somewhere\\near.mov", "cut/near.mov"),
        ("../day2/B002.mov", "day2/B002.mov"),
        ("file:///gone/B002.mov", "day2/B002.mov"),
        ("E:\\day1\\cam\\A001.mov", "day1/cam/A001.mov"),
        ("/Volumes/Raid/day2/cam/A001.mov", "day2/cam/A001.mov"),
        ("file://localhost/F%3A/b002.MOV", "day2/B002.mov"),
    ],
)
def test_media_are_found(disk: Path, url: str, found: str) -> None:
    finder = MediaFinder(disk / "cut", [disk])
    assert finder.find(url).resolve() == disk / found


def test_media_without_a_url_are_found_by_name(disk: Path) -> None:
    finder = MediaFinder(disk / "cut", [disk])
    assert finder.find(None, (None, "", "B002")) == disk / "day2/B002.mov"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("A001.mov", "several files are called so"),
        ("C003.mov", "is not there"),
        ("https://example.org/near.mov", "is no file on a disk"),
        ("..", "is not there"),
    ],
)
def test_what_is_not_found_has_its_reason(disk: Path, url: str, message: str) -> None:
    with pytest.raises(VFEError, match=message):
        MediaFinder(disk / "cut", [disk]).find(url)


def test_without_a_root_it_is_said_how_to_give_one(disk: Path) -> None:
    with pytest.raises(VFEError, match="--media-root FOLDER says where to look"):
        MediaFinder(disk / "cut").find("C003.mov")


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_the_timecode_of_a_file_is_read(tmp_path: Path, suffix: str) -> None:
    path = write_tape(tmp_path / f"a{suffix}", Tape(frames=3, timecode="01:00:00:05"))
    assert describe(path).timecode == Timecode(90005, False)


def test_an_image_is_not_for_us(tmp_path: Path) -> None:
    with pytest.raises(NotForUs):
        describe(write_image(tmp_path / "title.png"))
