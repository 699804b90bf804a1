"""Colour profile and camera data of photos: kept in every format that is written, or said to be left out."""

from __future__ import annotations

import io
import random
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from tests.support.copied_media import copy
from tests.support.paths import ROOT
from tests.support.photos import (
    EXPOSURE,
    MAKE,
    MAKER_NOTE,
    MODEL,
    NOTE,
    ORIENTATION,
    PIXEL_HEIGHT,
    PIXEL_WIDTH,
    Read,
    camera_data,
    image,
    pixels,
    profile,
    read_photo_file,
    thumbnail_block,
    write_photo,
)
from vfe.types import VFEError
from vfe.video.compare import compare_files
from vfe.video.photo import png
from vfe.video.photo.carry import tags_of
from vfe.video.photo.exif import exif_orientation, photo_tree, upright_exif
from vfe.video.photo.ifd import IfdReader, block
from vfe.video.photo.tags import PhotoTags
from vfe.video.probe import probe

WRITTEN = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")


def assert_upright_camera_data(read: Read) -> None:
    """Maker, place and exposure are there, and it is not turned a second time."""
    assert read.size == (48, 64)
    assert (read.first[MAKE], read.first[MODEL], read.first.get(ORIENTATION, 1)) == ("Maker", "Model X", 1)
    assert read.exif[EXPOSURE] == pytest.approx(1 / 125)
    assert read.exif[MAKER_NOTE] == NOTE
    assert (read.exif[PIXEL_WIDTH], read.exif[PIXEL_HEIGHT]) == (48, 64)
    assert read.gps[1] == "N"
    assert [float(x) for x in read.gps[2]] == [52, 31, 12]
    assert not read.thumbnail


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("source", [".png", ".jpg", ".webp", ".avif"])
def test_profile_and_camera_data_are_kept(tmp_path: Path, source: str, written: str) -> None:
    path = write_photo(tmp_path / f"a{source}")
    read, sink = copy(path, tmp_path / f"b{written}")
    assert not sink.notes
    assert not read.notes
    found = read_photo_file(tmp_path / f"b{written}")
    assert found.icc == profile()
    assert_upright_camera_data(found)


@pytest.mark.parametrize("written", WRITTEN)
def test_those_of_a_tiff(tmp_path: Path, written: str) -> None:
    """Its camera data stands among the tags of its pixels; Pillow writes no directory below them."""
    exif = Image.Exif()
    exif[MAKE], exif[MODEL], exif[ORIENTATION] = "Maker", "Model X", 6
    image().save(tmp_path / "a.tif", exif=exif, icc_profile=profile(), compression="tiff_lzw")
    _, sink = copy(tmp_path / "a.tif", tmp_path / f"b{written}")
    found = read_photo_file(tmp_path / f"b{written}")
    assert not sink.notes
    assert found.icc == profile()
    assert found.size == (48, 64)
    assert (found.first[MAKE], found.first[MODEL], found.first[ORIENTATION]) == ("Maker", "Model X", 1)


@pytest.mark.parametrize("written", WRITTEN)
def test_a_tiff_of_ours_hands_them_on(tmp_path: Path, written: str) -> None:
    copy(write_photo(tmp_path / "a.jpg"), tmp_path / "b.tif")
    _, sink = copy(tmp_path / "b.tif", tmp_path / f"c{written}")
    assert not sink.notes
    assert read_photo_file(tmp_path / f"c{written}").icc == profile()
    assert_upright_camera_data(read_photo_file(tmp_path / f"c{written}"))


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_pixels_are_those_without_tags(tmp_path: Path, written: str, mode: str) -> None:
    shown = image().convert(mode)
    if mode == "RGBA":
        shown.putalpha(image().convert("L"))
    shown.save(tmp_path / "plain.png")
    shown.save(tmp_path / "tagged.png", exif=camera_data(1), icc_profile=profile())
    for name in ("plain", "tagged"):
        copy(tmp_path / f"{name}.png", tmp_path / f"{name}_copy{written}")
    assert np.array_equal(pixels(tmp_path / f"plain_copy{written}"), pixels(tmp_path / f"tagged_copy{written}"))
    with Image.open(tmp_path / f"tagged_copy{written}") as opened:
        assert ("A" in opened.mode) == (mode == "RGBA" and written not in (".jpg", ".jpeg"))


@pytest.mark.parametrize("written", WRITTEN)
def test_profiles_larger_than_a_segment(tmp_path: Path, written: str) -> None:
    large = profile(padding=200_000)
    write_photo(tmp_path / "a.jpg", icc=large)
    copy(tmp_path / "a.jpg", tmp_path / f"b{written}")
    assert read_photo_file(tmp_path / f"b{written}").icc == large


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
@pytest.mark.parametrize("written", WRITTEN)
def test_profiles_of_other_numbers_are_left_out(tmp_path: Path, written: str, depth: str) -> None:
    """The output holds RGB, which a profile of grey does not describe."""
    grey = np.asarray(image().convert("L")).astype(depth) * (257 if depth == "uint16" else 1)
    Image.fromarray(grey).save(tmp_path / "a.png", icc_profile=profile(b"GRAY"))
    _, sink = copy(tmp_path / "a.png", tmp_path / f"b{written}")
    assert any("it describes GRAY values, the output holds RGB" in note for note in sink.notes)
    assert read_photo_file(tmp_path / f"b{written}").icc is None


def test_photos_of_four_inks(tmp_path: Path) -> None:
    """FFmpeg hands them out with an alpha that is none."""
    image().convert("CMYK").save(tmp_path / "a.jpg", icc_profile=profile(b"CMYK"), quality=95)
    read, sink = copy(tmp_path / "a.jpg", tmp_path / "b.png")
    assert sink.notes == ["the ICC profile is left out: it describes CMYK values, the output holds RGB"]
    with Image.open(tmp_path / "b.png") as opened:
        assert opened.mode == "RGB"
        assert not read.info.has_alpha
    assert np.abs(pixels(tmp_path / "a.jpg") - pixels(tmp_path / "b.png")).max() <= 3


def test_what_a_format_cannot_hold_is_said(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png")
    _, sink = copy(tmp_path / "a.png", tmp_path / "b.bmp")
    assert sink.notes == ["ICC profile and EXIF data are left out: .bmp files hold none; write PNG to keep them"]
    exif = camera_data()
    exif.get_ifd(0x8769)[MAKER_NOTE] = b"x" * 70_000
    write_photo(tmp_path / "large.png", exif=exif)
    _, sink = copy(tmp_path / "large.png", tmp_path / "b.jpg")
    assert sink.notes == ["EXIF data is left out: JPEG holds at most 64 KiB of it; write PNG to keep it"]
    assert read_photo_file(tmp_path / "b.jpg").icc == profile()
    _, sink = copy(tmp_path / "a.png", tmp_path / "b.mp4")
    assert sink.notes == ["ICC profiles and EXIF data of images are left out: a video holds none; write PNGs"]
    write_photo(tmp_path / "a.jpg", xmp=b"<x:xmpmeta/>")
    _, sink = copy(tmp_path / "a.jpg", tmp_path / "c.png")
    assert sink.notes == ["XMP data is left out: only ICC profile and EXIF data are carried over"]


def test_each_of_a_folder_keeps_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, orientation in enumerate((1, 3)):
        exif = camera_data(orientation)
        exif[MODEL] = f"Model {number}"
        write_photo(folder / f"{number}.jpg", exif=exif, icc=profile(padding=number))
    image().save(folder / "2.png")
    _, sink = copy(folder, tmp_path / "out")
    found = [read_photo_file(tmp_path / "out" / f"{number}.png") for number in range(3)]
    assert not sink.notes
    assert [read.icc for read in found] == [profile(), profile(padding=1), None]
    assert [read.first.get(MODEL) for read in found] == ["Model 0", "Model 1", None]
    assert [read.first.get(ORIENTATION) for read in found] == [1, 1, None]


def test_a_sheet_of_two_has_their_profile(tmp_path: Path) -> None:
    """Else both would be shown in other colours than by themselves."""
    write_photo(tmp_path / "a.png")
    compare_files(tmp_path / "a.png", tmp_path / "a.png", tmp_path / "both.png")
    assert read_photo_file(tmp_path / "both.png").icc == profile()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("source", [".png", ".jpg", ".webp", ".tif"])
def test_turned_photos_come_out_upright(tmp_path: Path, source: str, orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options: dict[str, dict[str, Any]] = {".webp": {"lossless": True}, ".jpg": {"quality": 100, "subsampling": 0}}
    finest = options.get(source, {})
    image().save(tmp_path / f"a{source}", exif=exif, **finest)
    copy(tmp_path / f"a{source}", tmp_path / "b.png")
    with Image.open(tmp_path / f"a{source}") as opened:
        wanted = np.asarray(ImageOps.exif_transpose(opened).convert("RGB")).astype(int)
    assert np.abs(pixels(tmp_path / "b.png") - wanted).max() <= (2 if source == ".jpg" else 0)
    assert read_photo_file(tmp_path / "b.png").first[ORIENTATION] == 1


# --- the block itself -----------------------------------------------------------------------------------------------


def first_directory(data: bytes) -> ImageFileDirectory_v2:
    file = io.BytesIO(data)
    directory = ImageFileDirectory_v2(file.read(8))
    directory.load(file)
    return directory


@pytest.mark.parametrize("order", ["II", "MM"])
def test_the_thumbnail_goes(order: str) -> None:
    old = thumbnail_block(order)
    assert first_directory(old).next
    assert b"\xff\xd8\xff" in old  # a picture is in it
    new = upright_exif(old, (10, 20))
    assert new is not None
    assert len(new) < len(old)
    assert b"\xff\xd8\xff" not in new
    directory = first_directory(new)
    assert not directory.next
    assert directory[ORIENTATION] == 1
    assert directory[MAKE] == "Maker of cameras"
    assert exif_orientation(old).quarter_turns == 2
    assert exif_orientation(new).quarter_turns == 0


def test_what_makers_keep_stays_where_it_was() -> None:
    """It may hold places of the whole block."""
    old = camera_data().tobytes()[6:]
    new = upright_exif(old, (48, 64))
    assert new is not None
    assert new.find(NOTE) == old.find(NOTE) > 0


def test_values_of_both_orders_of_bytes_go_into_a_tiff() -> None:
    little, big = (block(photo_tree(thumbnail_block(order))) for order in ("II", "MM"))
    assert little == big
    assert b"Maker of cameras" in little


# --- hostile files --------------------------------------------------------------------------------------------------


def test_a_profile_that_unpacks_to_gigabytes_is_none() -> None:
    bomb = zlib.compressobj()
    packed = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(256)) + bomb.flush()
    data = png.with_tags((ROOT / "docs" / "icon.png").read_bytes(), PhotoTags(profile()))
    start = data.index(b"iCCP")
    old = int.from_bytes(data[start - 4 : start], "big")
    content = b"x\0\0" + packed
    hostile = data[: start - 4] + len(content).to_bytes(4, "big") + b"iCCP" + content + data[start + 4 + old :]
    assert tags_of(hostile).icc is None


def test_directories_that_point_to_themselves() -> None:
    entry = (0x8769).to_bytes(2, "little") + b"\4\0\1\0\0\0" + (8).to_bytes(4, "little")
    loop = b"II*\0\x08\0\0\0\1\0" + entry + (8).to_bytes(4, "little")
    assert upright_exif(loop, (1, 1)) is not None
    assert photo_tree(loop) is not None
    assert IfdReader.of(loop).directory(8) is not None


def test_directories_that_name_the_whole_file_many_times() -> None:
    """65535 entries of 4 MB each would be a quarter of a terabyte."""
    entry = b"\x0f\1\2\0" + (4_000_000).to_bytes(4, "little") + (8).to_bytes(4, "little")
    block = b"II*\0\x08\0\0\0\xff\xff" + b"".join(n.to_bytes(2, "little") + entry[2:] for n in range(65535))
    started = time.monotonic()
    tags_of(block + bytes(4_000_000))
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif"])
def test_damaged_files_never_raise_anything_else(tmp_path: Path, suffix: str) -> None:
    """Bytes of the parts before the picture are changed and cut, as chance has it."""
    data = write_photo(tmp_path / f"a{suffix}").read_bytes()
    dice = random.Random(suffix)
    for number in range(40):
        bad = bytearray(data[: dice.randrange(len(data))] if number % 4 == 0 else data)
        for _ in range(dice.randrange(1, 20)):
            if bad:
                bad[dice.randrange(min(len(bad), 1500))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF))
        tags = tags_of(bytes(bad))
        if tags.exif is not None:
            upright_exif(tags.exif, (3, 4))
            photo_tree(tags.exif)
        path = tmp_path / f"bad{suffix}"
        path.write_bytes(bad)
        try:
            copy(path, tmp_path / "out.png")
            (tmp_path / "out.png").unlink()
        except VFEError as error:
            assert "\n" not in str(error)
            assert str(path) in str(error)


def test_probing_needs_no_frame_side_data(tmp_path: Path) -> None:
    """PNGs whose profile has a name end the process when PyAV is asked for it."""
    data = png.with_tags(write_photo(tmp_path / "a.png").read_bytes(), PhotoTags(profile()))
    (tmp_path / "b.png").write_bytes(data)
    assert probe(tmp_path / "b.png").kind == "image"
