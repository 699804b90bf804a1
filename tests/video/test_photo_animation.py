"""Image files that hold several pictures: all of them are read, or a note says which are not."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from tests.support.copied_media import copy
from tests.support.photos import MAKE, image, profile, read_photo_file, write_photo
from vfe.types import VFEError
from vfe.video.output_name import output_for
from vfe.video.probe import probe
from vfe.video.read import Frame, open_source

DURATIONS = [40, 60, 40, 120, 40]


def pictures(mode: str = "RGB") -> list[Image.Image]:
    """Five pictures; with alpha, a part of each is transparent."""
    shown = [image(index).convert(mode) for index in range(5)]
    for index, each in enumerate(shown):
        if mode == "RGBA":
            mask = np.full((48, 64), 255, np.uint8)
            mask[8:40, 4 + 8 * index : 20 + 8 * index] = 60 * index
            each.putalpha(Image.fromarray(mask))
    return shown


def write(path: Path, mode: str = "RGB", **options: Any) -> Path:  # noqa: ANN401
    """All pictures in one file."""
    first, *others = pictures(mode)
    first.save(path, save_all=True, append_images=others, **options)
    return path


def read(path: Path) -> list[Frame]:
    with open_source(path) as source:
        return list(source)


def code_values(frame: Frame) -> np.ndarray[Any, np.dtype[np.float32]]:
    return ((frame.pixels + 1) * 127.5).round().permute(1, 2, 0).numpy()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": True, "kmin": 3, "kmax": 4}, {"quality": 90}])
def test_animated_webp_like_pillow_shows_it(tmp_path: Path, mode: str, options: dict[str, Any]) -> None:
    path = write(tmp_path / "a.webp", mode, duration=DURATIONS, **options)
    info = probe(path)
    assert (info.kind, info.width, info.height, info.frames) == ("video", 64, 48, 5)
    assert info.duration == 0.3
    assert info.rate == Fraction(50, 3)
    frames = read(path)
    assert [frame.pts for frame in frames] == [0, 40, 100, 140, 260]
    assert frames[0].time_base == Fraction(1, 1000)
    assert [frame.duration for frame in frames] == DURATIONS
    with Image.open(path) as opened:
        for frame, shown in zip(frames, ImageSequence.Iterator(opened), strict=True):
            wanted = np.asarray(shown.convert("RGBA")).astype(int)
            seen = wanted[..., 3:] > 20 if mode == "RGBA" else np.ones((48, 64, 1), bool)
            difference = np.abs(code_values(frame) - wanted[..., :3]) * seen
            assert difference.max() <= (1 if "lossless" in options else 30)
            assert difference.mean() < 1.5
            if mode == "RGBA":
                assert frame.alpha is not None
                assert np.abs(frame.alpha[0].numpy() * 255 - wanted[..., 3]).max() <= 2
    assert info.has_alpha == (mode == "RGBA")


def test_a_webp_whose_pictures_blend_and_go(tmp_path: Path) -> None:
    """Small pictures with alpha are laid over a canvas, and some are taken away again."""
    from vfe.video.photo.webp import Chunk, chunks_of, wrapped

    chunks = []
    for index, flags in enumerate(
        (0, 1, 0, 2, 0)
    ):  # 1: its place is emptied; 2: nothing of what was there shines through
        part = pictures("RGBA")[index].crop((0, 0, 32, 24))
        part.save(tmp_path / "part.webp", lossless=True)
        picture = [c for c in chunks_of((tmp_path / "part.webp").read_bytes()) if c.name == b"VP8L"]
        numbers = (4 * index, 2 * index, 31, 23, 40)
        head = b"".join(number.to_bytes(3, "little") for number in numbers) + bytes([flags])
        chunks.append(Chunk(b"ANMF", head + wrapped(picture)[12:]))
    sides = (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    header = [Chunk(b"VP8X", bytes([0x12, 0, 0, 0]) + sides), Chunk(b"ANIM", bytes(6))]
    path = tmp_path / "a.webp"
    path.write_bytes(wrapped([*header, *chunks]))
    frames = read(path)
    with Image.open(path) as opened:
        for frame, shown in zip(frames, ImageSequence.Iterator(opened), strict=True):
            wanted = np.asarray(shown.convert("RGBA")).astype(int)
            assert frame.alpha is not None
            assert np.abs(frame.alpha[0].numpy() * 255 - wanted[..., 3]).max() <= 2
            assert (np.abs(code_values(frame) - wanted[..., :3]) * (wanted[..., 3:] > 60)).max() <= 3


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_all_pages_of_a_tiff(tmp_path: Path, mode: str, compression: str | None) -> None:
    path = write(tmp_path / "a.tif", mode, compression=compression)
    info = probe(path)
    assert (info.kind, info.frames, info.rate, info.duration) == ("video", 5, Fraction(25), 0.2)
    assert info.bit_depth == (16 if mode == "I;16" else 8)
    frames = read(path)
    assert [frame.pts for frame in frames] == list(range(5))
    for frame, wanted in zip(frames, pictures(mode), strict=True):
        deep = np.asarray(wanted).astype(float) / (257 if mode == "I;16" else 1)
        shown = np.asarray(wanted.convert("RGB")) if mode in ("RGB", "RGBA") else deep[..., None]
        assert np.abs((frame.pixels.permute(1, 2, 0).numpy() + 1) * 127.5 - shown).max() < 0.01


def test_pages_in_the_other_order_of_bytes(tmp_path: Path) -> None:
    """Samples of 16 bits are in the order of their file."""
    import tifffile

    values = np.arange(3 * 48 * 64, dtype=np.uint16).reshape(3, 48, 64) * 7
    tifffile.imwrite(tmp_path / "a.tif", values, byteorder=">", photometric="minisblack")
    frames = read(tmp_path / "a.tif")
    for frame, wanted in zip(frames, values, strict=True):
        assert np.abs((frame.pixels[0].numpy() + 1) / 2 * 65535 - wanted).max() < 0.01


def test_pages_of_another_size_and_thumbnails(tmp_path: Path) -> None:
    first, second, *_ = pictures()
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second, image(size=(32, 24))])
    with open_source(tmp_path / "a.tif") as source:
        assert len(list(source)) == 2
    assert source.notes == ["1 pictures of a.tif have another size than the first: left out"]
    import tifffile

    with tifffile.TiffWriter(tmp_path / "b.tif") as writer:
        writer.write(np.asarray(first), photometric="rgb")
        writer.write(np.asarray(first)[::2, ::2], photometric="rgb", subfiletype=1)  # a smaller version of it
    assert (probe(tmp_path / "b.tif").kind, probe(tmp_path / "b.tif").frames) == ("image", 1)


def test_animated_png(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", duration=DURATIONS, blend=0)
    assert (probe(path).kind, probe(path).container) == ("video", "apng")
    frames = read(path)
    assert len(frames) == 5
    for frame, wanted in zip(frames, pictures(), strict=True):
        assert np.abs(code_values(frame) - np.asarray(wanted)).max() <= 1
    times = [float(frame.pts * frame.time_base) for frame in frames if frame.pts is not None and frame.time_base]
    assert times == pytest.approx([0, 0.04, 0.1, 0.14, 0.26], abs=0.002)


@pytest.mark.parametrize("suffix", [".webp", ".tif", ".png"])
def test_they_become_clips_or_folders(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", duration=40)
    _, sink = copy(path, tmp_path / "b.mp4")
    assert not sink.notes
    assert len(read(tmp_path / "b.mp4")) == 5
    copy(path, tmp_path / "b")
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == [f"{number:06}.png" for number in range(1, 6)]
    with pytest.raises(VFEError, match="names one image, but the input has many frames; give a folder"):
        copy(path, tmp_path / "b.png")
    assert output_for(path) == tmp_path / "a.restored.mp4"


def test_a_clip_of_one_picture_is_an_image(tmp_path: Path) -> None:
    for suffix in (".webp", ".tif", ".png"):
        image().save(tmp_path / f"a{suffix}", save_all=True)
        assert probe(tmp_path / f"a{suffix}").kind == "image"
        assert output_for(tmp_path / f"a{suffix}") == tmp_path / "a.restored.png"


@pytest.mark.parametrize("suffix", [".webp", ".tif", ".png"])
def test_pictures_keep_the_tags_of_their_file(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[MAKE] = "Maker"
    path = write(tmp_path / f"a{suffix}", duration=40, icc_profile=profile(), exif=exif)
    copy(path, tmp_path / "b")
    for written in sorted((tmp_path / "b").iterdir()):
        assert read_photo_file(written).icc == profile()
        assert read_photo_file(written).first[MAKE] == "Maker"


def test_animations_in_a_folder_of_images(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, suffix in enumerate((".webp", ".tif", ".png")):
        write(folder / f"{number}{suffix}", duration=40)
    write_photo(folder / "3.png", Image.Exif())
    with open_source(folder) as source:
        assert len(list(source)) == 4
    assert source.notes == ["3 of the images are animations or have pages: only the first picture was read"]


@pytest.mark.parametrize("suffix", [".webp", ".tif", ".png"])
def test_damaged_animations_never_raise_anything_else(tmp_path: Path, suffix: str) -> None:
    data = write(tmp_path / f"a{suffix}", duration=40).read_bytes()
    dice = random.Random(suffix)
    for number in range(40):
        bad = bytearray(data[: dice.randrange(len(data))] if number % 4 == 0 else data)
        for _ in range(dice.randrange(1, 12)):
            if bad:
                bad[dice.randrange(len(bad))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF))
        path = tmp_path / f"bad{suffix}"
        path.write_bytes(bad)
        try:
            read(path)
        except VFEError as error:
            assert "\n" not in str(error)
            assert str(path) in str(error)
