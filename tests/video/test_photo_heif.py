"""HEIC and AVIF photos: whole, upright, with their colours, or refused with the reason."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from av.video.frame import VideoFrame
from PIL import Image, ImageOps

from tests.support.clips import picture
from tests.support.copied_media import copy
from tests.support.heif_file import Heif, box, build, full_box, u16, u32
from tests.support.photos import camera_data, image, profile, write_photo
from vfe.types import VFEError
from vfe.video.photo.canvas import join
from vfe.video.probe import probe
from vfe.video.read import Frame, open_source

WIDTH, HEIGHT, TILE = 104, 72, 64


def whole(pix_fmt: str = "yuv444p") -> VideoFrame:
    """A picture of two by two tiles, of which the right and lower ones reach over its edges."""
    frame = VideoFrame.from_ndarray(picture(2, 2 * TILE, 2 * TILE), format="rgb24")
    return frame.reformat(format=pix_fmt, dst_colorspace=5, dst_color_range=2)


def tiles(frame: VideoFrame) -> list[VideoFrame]:
    """The four quarters, cut plane by plane."""
    parts = []
    for row in range(2):
        for column in range(2):
            part = VideoFrame(TILE, TILE, frame.format.name)
            for source, target in zip(frame.planes, part.planes, strict=True):
                height, width = target.height, target.width
                values = np.frombuffer(memoryview(source), "u1").reshape(-1, source.line_size)
                rows = np.zeros((height, target.line_size), "u1")
                quarter = values[row * height : (row + 1) * height, column * width : (column + 1) * width]
                rows[:, :width] = quarter
                target.update(rows.tobytes())
            parts.append(part)
    return parts


def grid(**changes: Any) -> Heif:  # noqa: ANN401
    """A file of four tiles of 64x64 that make a picture of 104x72."""
    values: dict[str, Any] = {"tiles": tiles(whole()), "columns": 2, "size": (WIDTH, HEIGHT)}
    return Heif(**(values | changes))


def only_frame(path: Path) -> Frame:
    with open_source(path) as source:
        (frame,) = source
    return frame


def wanted() -> torch.Tensor:
    """(3, H, W) of the whole picture."""
    return torch.from_numpy(picture(2, 2 * TILE, 2 * TILE)[:HEIGHT, :WIDTH]).permute(2, 0, 1) / 127.5 - 1


@pytest.mark.parametrize(
    ("encoder", "pix_fmt"),
    [
        ("libx264", "yuv444p"),
        ("libx264", "yuv420p"),
        ("libx265", "yuv444p"),
        ("libx265", "yuv420p"),
        ("libsvtav1", "yuv420p"),
    ],
)
def test_tiles_are_put_together(tmp_path: Path, encoder: str, pix_fmt: str) -> None:
    path = tmp_path / "photo.heic"
    path.write_bytes(build(grid(tiles=tiles(whole(pix_fmt)), encoder=encoder, properties=(nclx(6, full=True),))))
    info = probe(path)
    assert (info.width, info.height, info.kind, info.frames) == (WIDTH, HEIGHT, "image", 1)
    difference = (only_frame(path).pixels - wanted()).abs()
    lossless = encoder == "libx264" and pix_fmt == "yuv444p"
    assert difference.mean() < (0.01 if lossless else 0.05)
    assert difference[:, :, 60:68].mean() < 2 * difference.mean() + 0.01  # no seam where tiles meet
    assert difference[:, 60:68].mean() < 2 * difference.mean() + 0.01


def nclx(matrix: int, *, full: bool) -> bytes:
    """The property that says what the numbers mean."""
    return box(b"colr", b"nclx", u16(1, 13, matrix), bytes([0x80 * full]))


def test_matrix_and_range_of_the_file_hold(tmp_path: Path) -> None:
    path = tmp_path / "photo.heic"
    for matrix, full in ((1, False), (9, True)):
        path.write_bytes(build(grid(properties=(nclx(matrix, full=full),))))
        assert (probe(path).color_space, probe(path).color_range) == (matrix, 1 + full)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_and_mirrored_like_pillow_does(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "photo.avif"
    write_photo(path, camera_data(orientation), quality=100, subsampling="4:4:4")
    with Image.open(path) as opened:
        shown = np.asarray(ImageOps.exif_transpose(opened).convert("RGB")).astype(int)
    found = ((only_frame(path).pixels + 1) * 127.5).round().permute(1, 2, 0).numpy()
    assert found.shape == shown.shape
    assert np.abs(found - shown).max() <= 2


def test_profile_and_camera_data_of_a_grid(tmp_path: Path) -> None:
    exif = camera_data(1).tobytes()[6:]
    path = tmp_path / "photo.heic"
    path.write_bytes(build(grid(exif=exif, properties=(box(b"colr", b"prof", profile()),))))
    assert only_frame(path).tags[:3] == (profile(), exif, ())


def test_alpha_that_lies_apart(tmp_path: Path) -> None:
    shown = image().convert("RGBA")
    shown.putalpha(image().convert("L"))
    shown.save(tmp_path / "a.avif", quality=100, subsampling="4:4:4")
    assert probe(tmp_path / "a.avif").has_alpha
    frame = only_frame(tmp_path / "a.avif")
    assert frame.alpha is not None
    assert frame.alpha.shape == (1, 48, 64)
    assert (frame.alpha[0] - torch.from_numpy(np.asarray(image().convert("L")) / 255)).abs().max() < 0.02


def test_a_clean_aperture_is_cut_out(tmp_path: Path) -> None:
    aperture = box(b"clap", u32(40, 1, 30, 1), (-4).to_bytes(4, "big", signed=True), u32(1, 3, 1))
    path = tmp_path / "photo.heic"
    path.write_bytes(build(grid(properties=(nclx(6, full=True), aperture, box(b"irot", b"\3")))))
    assert (probe(path).width, probe(path).height) == (30, 40)
    left, top = (WIDTH - 40) // 2 - 4, (HEIGHT - 30) // 2 + 3
    part = wanted()[:, top : top + 30, left : left + 40].rot90(-1, (1, 2))
    assert (only_frame(path).pixels - part).abs().mean() < 0.01


def test_one_picture_without_a_grid(tmp_path: Path) -> None:
    frame = whole()
    path = tmp_path / "photo.heif"
    path.write_bytes(build(Heif([frame], size=(2 * TILE, 2 * TILE), alone=True, properties=(nclx(6, full=True),))))
    assert only_frame(path).pixels.shape == (3, 2 * TILE, 2 * TILE)


def test_image_sequences_are_clips(tmp_path: Path) -> None:
    frames = [image(index) for index in range(5)]
    frames[0].save(tmp_path / "a.avif", save_all=True, append_images=frames[1:], duration=80)
    info = probe(tmp_path / "a.avif")
    assert (info.kind, info.frames) == ("video", 5)
    with open_source(tmp_path / "a.avif") as source:
        assert len(list(source)) == 5


def test_grids_in_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.heic").write_bytes(build(grid()))
    copy(folder, tmp_path / "out")
    assert [probe(path).width for path in sorted((tmp_path / "out").iterdir())] == [WIDTH, WIDTH]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": b"iovl"}, r"is of a kind \('iovl'\)|in a way \('iovl'\)"),
        ({"missing_tiles": 1}, "a grid of 2x2 tiles"),
        ({"size": (200, 200)}, "do not fill it"),
        ({"size": (20_000, 10)}, "at most 16384 pixels"),
    ],
)
def test_what_cannot_be_put_together_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = tmp_path / "photo.heic"
    path.write_bytes(build(grid(**changes)))
    with pytest.raises(VFEError, match=words) as caught:
        probe(path)
    assert str(path) in str(caught.value)


def test_tiles_that_differ_are_refused() -> None:
    for other in (VideoFrame(48, 64, "yuv444p"), VideoFrame(64, 64, "yuv420p")):
        with pytest.raises(VFEError, match="differ in size or format"):
            join([VideoFrame(64, 64, "yuv444p"), other], 2, (100, 64))


def test_a_file_without_items(tmp_path: Path) -> None:
    path = tmp_path / "photo.heic"
    path.write_bytes(box(b"ftyp", b"heic", u32(0)) + full_box(b"meta", 0, 0))
    with pytest.raises(VFEError, match="names no picture"):
        probe(path)


def test_damaged_files_never_raise_anything_else(tmp_path: Path) -> None:
    data = build(grid(exif=camera_data(1).tobytes()[6:], properties=(box(b"colr", b"prof", profile()),)))
    dice = random.Random(11)
    started = time.monotonic()
    for number in range(80):
        bad = bytearray(data[: dice.randrange(len(data))] if number % 4 == 0 else data)
        for _ in range(dice.randrange(1, 12)):
            if bad:
                bad[dice.randrange(min(len(bad), 1200))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF))
        path = tmp_path / "bad.heic"
        path.write_bytes(bad)
        try:
            only_frame(path)
        except VFEError as error:
            assert "\n" not in str(error)
            assert str(path) in str(error)
    assert time.monotonic() - started < 60
