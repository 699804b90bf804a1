"""Input that is not what it should be: one clear line, or what can still be restored."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clips import read_pixels, write_audio, write_image
from tests.support.copied_media import copy
from tests.support.media import Media, make
from tests.support.several_streams import broken_and_whole
from vfe.types import VFEError
from vfe.video.probe import probe
from vfe.video.read import open_source


def fails(path: Path | str, words: str) -> None:
    with pytest.raises(VFEError, match=words) as caught, open_source(path) as source:
        list(source)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    fails(tmp_path / "no.mp4", "no such file")
    fails(tmp_path / "no" / "x*.png", "no images there")


def test_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("hello " * 1000)
    fails(path, "cannot be read")


@pytest.mark.parametrize("name", ["empty.mp4", "empty.png", "empty.mkv"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    fails(path, "cannot be read|no frame")


def test_empty_folder(tmp_path: Path) -> None:
    fails(tmp_path, "no images there")


def test_audio_only(tmp_path: Path) -> None:
    fails(write_audio(tmp_path / "sound.m4a"), "only audio")


def test_zero_frames(tmp_path: Path) -> None:
    fails(make(tmp_path / "none.mkv", Media(frames=0)), "no frame can be decoded|cannot be read|no video")


def test_truncated_without_index(tmp_path: Path) -> None:
    whole = make(tmp_path / "whole.mp4", Media(frames=30, size=(128, 96)))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:2000])
    fails(cut, "cannot be read")


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv", "cut.avi", "cut.ts"])
def test_truncated_file_gives_what_is_there(tmp_path: Path, name: str) -> None:
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    path = make(tmp_path / name, Media(codec=codec, frames=60, size=(128, 96)))
    data = path.read_bytes()
    if name.endswith("mp4"):
        data = _moov_first(data)
    path.write_bytes(data[: len(data) * 6 // 10])
    with open_source(path) as source:
        count = len(list(source))
    assert 5 <= count < 60
    if name != "cut.ts":  # a transport stream has no length to fall short of
        assert len(source.notes) == 2
        assert "damaged or cut short" in source.notes[0]
        assert "missing or have errors at" in source.notes[1]


def test_bit_errors_are_survived(tmp_path: Path) -> None:
    path = make(tmp_path / "bad.ts", Media(codec="libx264", frames=40, size=(128, 96), options={"g": "10"}))
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 3, len(data) // 2, 7):
        data[at] ^= 0x5A
    path.write_bytes(bytes(data))
    with open_source(path) as source:
        assert len(list(source)) > 5
    assert source.notes


def test_truncated_image(tmp_path: Path) -> None:
    path = write_image(tmp_path / "cut.png", 64, 64)
    path.write_bytes(path.read_bytes()[:60])
    fails(path, "no frame|cannot be")


def test_one_bad_image_of_a_folder_is_named(tmp_path: Path) -> None:
    write_image(tmp_path / "1.png", 16, 16)
    (tmp_path / "2.png").write_bytes(b"not an image")
    with pytest.raises(VFEError, match=r"2\.png"), open_source(tmp_path) as source:
        list(source)


def test_folder_as_video(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").mkdir()
    fails(tmp_path / "clip.mp4", "no images there")


def test_claimed_length_is_not_trusted(tmp_path: Path) -> None:
    info = probe(make(tmp_path / "one.mp4", Media(frames=1)))
    assert info.frames == 1


def _moov_first(data: bytes) -> bytes:
    """Move the index of an MP4 to its front, as files for the web have it."""
    boxes: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        boxes[data[at + 4 : at + 8]] = data[at : at + size]
        at += size
    moov = bytearray(boxes[b"moov"])
    found = moov.find(b"stco")
    count = int.from_bytes(moov[found + 8 : found + 12], "big")
    for i in range(count):
        entry = slice(found + 12 + 4 * i, found + 16 + 4 * i)
        moved = int.from_bytes(moov[entry], "big") + len(moov)
        moov[entry] = moved.to_bytes(4, "big")
    rest = b"".join(box for name, box in boxes.items() if name not in {b"ftyp", b"moov"})
    return boxes[b"ftyp"] + bytes(moov) + rest


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_video_that_decodes_is_taken_where_the_best_does_not(suffix: str, tmp_path: Path) -> None:
    path = broken_and_whole(tmp_path / f"clip{suffix}")
    info = probe(path)
    assert (info.stream, info.width) == (1, 48)
    with open_source(path) as source:
        assert [tuple(frame.pixels.shape) for frame in source] == [(3, 48, 48)] * 8
    copy(path, tmp_path / "out.mkv")
    assert read_pixels(tmp_path / "out.mkv").shape == (8, 48, 48, 3)
