"""HDR and wide gamuts: what says so goes along into every kind of output, or a note tells that it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from tests.support.copied_media import copy
from tests.support.described_media import DEEP, HDR, hdr_clip
from tests.support.dynamic_hdr import dolby_vision, dynamic_clip, hdr10_plus
from tests.support.heif_file import Heif, box, build, u16, u32
from tests.support.media import Media, make
from tests.support.photos import image, profile
from vfe.video.hdr import ColourCoding
from vfe.video.hdr_of_frame import read_hdr
from vfe.video.photo.carry import tags_of
from vfe.video.probe import probe

PQ = ColourCoding(9, 16, HDR)
NOT_SAID = "that the colours are HDR is left out"


def as_ffmpeg_reads(path: Path) -> ColourCoding:
    """What FFmpeg finds in a picture without an ICC profile: a reader that is not ours."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return ColourCoding(frame.color_primaries, frame.color_trc, read_hdr(frame, "any but PNG"))


def test_pngs_of_an_hdr_video_say_so(tmp_path: Path) -> None:
    source = hdr_clip(tmp_path / "a.mkv")
    _, sink = copy(source, tmp_path / "out")
    assert not sink.notes
    for path in sorted((tmp_path / "out").iterdir()):
        assert as_ffmpeg_reads(path) == PQ
        assert tags_of(path.read_bytes()).coding == PQ


def test_a_video_of_such_pngs_is_hdr_again(tmp_path: Path) -> None:
    copy(hdr_clip(tmp_path / "a.mkv"), tmp_path / "frames")
    copy(tmp_path / "frames", tmp_path / "b.mkv")
    found = probe(tmp_path / "b.mkv")
    assert (found.color_primaries, found.color_transfer, found.hdr) == PQ


@pytest.mark.parametrize("primaries", [9, 12])
def test_a_wide_gamut_is_said(tmp_path: Path, primaries: int) -> None:
    copy(make(tmp_path / "a.mkv", Media(color_primaries=primaries, color_transfer=13)), tmp_path / "out")
    assert tags_of((tmp_path / "out" / "000001.png").read_bytes()).coding == ColourCoding(primaries, 13)


@pytest.mark.parametrize(("primaries", "transfer"), [(1, 1), (2, 2), (9, 2), (5, 6)])
def test_pngs_of_other_videos_have_no_tag(tmp_path: Path, primaries: int, transfer: int) -> None:
    """Viewers take them for sRGB, as they took the video for BT.709."""
    copy(make(tmp_path / "a.mkv", Media(color_primaries=primaries, color_transfer=transfer)), tmp_path / "out")
    data = (tmp_path / "out" / "000001.png").read_bytes()
    assert b"cICP" not in data


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif", ".bmp"])
def test_images_that_cannot_say_it_are_noted(tmp_path: Path, suffix: str) -> None:
    copy(make(tmp_path / "a.mkv", replace(DEEP, frames=1)), tmp_path / "a.png")
    _, sink = copy(tmp_path / "a.png", tmp_path / f"b{suffix}")
    assert [note for note in sink.notes if NOT_SAID in note]
    _, again = copy(tmp_path / "a.png", tmp_path / "b.png")
    assert not again.notes
    assert as_ffmpeg_reads(tmp_path / "b.png")[:2] == PQ[:2]


def phone_photo(path: Path, *properties: bytes) -> Path:
    frame = VideoFrame.from_ndarray(np.asarray(image().resize((64, 64)).convert("RGB")), format="rgb24")
    tile = frame.reformat(format="yuv420p")
    path.write_bytes(build(Heif([tile], encoder="libx265", alone=True, size=(64, 64), properties=properties)))
    return path


def test_the_hdr_of_a_phone_photo(tmp_path: Path) -> None:
    display, light = HDR.display, HDR.light
    assert display is not None
    assert light is not None
    points = (*display.green, *display.blue, *display.red, *display.white)
    source = phone_photo(
        tmp_path / "a.heic",
        box(b"colr", b"nclx", u16(9, 16, 9), b"\x80"),
        box(b"mdcv", u16(*points), u32(display.brightest, display.darkest)),
        box(b"clli", u16(*light)),
    )
    copy(source, tmp_path / "b.png")
    assert as_ffmpeg_reads(tmp_path / "b.png") == PQ


def test_a_gamut_that_the_profile_tells_is_not_missed(tmp_path: Path) -> None:
    """Photos of phones have both: JPEG holds the profile."""
    nclx, icc = box(b"colr", b"nclx", u16(12, 13, 6), b"\x80"), box(b"colr", b"prof", profile())
    _, sink = copy(phone_photo(tmp_path / "a.heic", nclx, icc), tmp_path / "b.jpg")
    assert not sink.notes
    _, sink = copy(phone_photo(tmp_path / "c.heic", nclx), tmp_path / "d.jpg")
    assert [note for note in sink.notes if "of a wide gamut is left out" in note]


def test_a_damaged_tag_is_no_tag(tmp_path: Path) -> None:
    image().save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    for content in (b"", b"\x09\x10\x00", b"\x09\x10\x09\x01"):
        chunk = len(content).to_bytes(4, "big") + b"cICP" + content + bytes(4)
        assert tags_of(data[:33] + chunk + data[33:]).coding is None


def test_a_contact_sheet_of_hdr_clips_says_so(tmp_path: Path) -> None:
    from vfe.video.compare import compare_files

    clip = hdr_clip(tmp_path / "a.mkv")
    compare_files(clip, clip, tmp_path / "sheet.png")
    assert as_ffmpeg_reads(tmp_path / "sheet.png") == PQ
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size[0] > probe(clip).width


# --- metadata of each frame -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "name"), [(hdr10_plus, "HDR10+"), (dolby_vision, "Dolby Vision")])
@pytest.mark.parametrize("output", ["b.mp4", "b.mkv", "b.mov", "frames"])
@pytest.mark.parametrize("container", ["a.mkv", "a.mp4"])
def test_light_that_changes_is_noted(
    tmp_path: Path, container: str, output: str, change: Callable[[bytes], bytes], name: str
) -> None:
    source = dynamic_clip(
        tmp_path / container, replace(DEEP, frames=3, options={"x265-params": "log-level=none"}), change
    )
    assert probe(source).hdr.dynamic == (name,)
    _, sink = copy(source, tmp_path / output)
    assert sink.notes == [f"{name} metadata is left out: it describes each frame of the source"]
    if output != "frames":
        assert probe(tmp_path / output).hdr.dynamic == ()
