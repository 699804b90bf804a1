"""Images that are cut short are read with a note, and what FFmpeg takes for alpha and is none is left out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from av.video.frame import VideoFrame
from PIL import Image

from tests.support.copied_media import copy
from tests.support.heif_file import Heif, build
from vfe.types import VFEError
from vfe.video.probe import probe
from vfe.video.read import open_source


def noise(mode: str = "RGB") -> Image.Image:
    """A picture that no coder makes small, so that a cut takes part of it."""
    values = np.random.default_rng(0).integers(0, 256, (96, 128, len(mode)), dtype=np.uint8)
    return Image.fromarray(values, mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def notes_of(path: Path) -> list[str]:
    """What is said of a file that is read whole."""
    with open_source(path) as source:
        assert sum(1 for _ in source)
        return source.notes


STILLS = {
    "a.jpg": encoded(noise(), "JPEG", quality=90),
    "progressive.jpg": encoded(noise(), "JPEG", quality=90, progressive=True),
    "restarts.jpg": encoded(noise(), "JPEG", quality=90, restart_marker_blocks=1),
    "a.png": encoded(noise(), "PNG"),
    "a.webp": encoded(noise(), "WEBP", quality=90),
    "lossless.webp": encoded(noise(), "WEBP", lossless=True),
    "a.tif": encoded(noise(), "TIFF", compression="tiff_deflate"),
    "a.bmp": encoded(noise(), "BMP"),
    "a.avif": encoded(noise(), "AVIF"),
}


@pytest.mark.parametrize("name", STILLS)
@pytest.mark.parametrize("part", [0.5, 0.9, 0.99])
def test_an_image_that_is_cut_short_is_refused_or_noted(tmp_path: Path, name: str, part: float) -> None:
    data = STILLS[name]
    (tmp_path / name).write_bytes(data[: int(part * len(data))])
    try:
        notes = notes_of(tmp_path / name)
    except VFEError:
        return
    assert len(notes) == 1
    assert notes[0].startswith(f"{name} is damaged or cut short")


@pytest.mark.parametrize("name", STILLS)
def test_a_whole_image_is_not_called_damaged(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(STILLS[name])
    assert notes_of(tmp_path / name) == []


def test_what_follows_a_jpeg_does_not_hide_that_it_is_cut(tmp_path: Path) -> None:
    """Previews in the EXIF data of a photo end with the marker that its picture lacks."""
    whole = STILLS["a.jpg"]
    preview = b"\xff\xe1" + (len(whole) + 2).to_bytes(2, "big") + whole
    assert len(whole) < 65000
    (tmp_path / "whole.jpg").write_bytes(whole[:2] + preview + whole[2:] + bytes(500))
    (tmp_path / "cut.jpg").write_bytes(whole[:2] + preview + whole[2:-500])
    assert notes_of(tmp_path / "whole.jpg") == []
    assert notes_of(tmp_path / "cut.jpg") != []


def test_the_damaged_images_of_a_folder_are_named(tmp_path: Path) -> None:
    data = STILLS["a.jpg"]
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(data if number in (0, 3) else data[:-400])
    (note,) = notes_of(tmp_path)
    assert note.startswith("1.jpg, 2.jpg, 4.jpg and 1 more are damaged")


@pytest.mark.parametrize("encoder", ["libx265", "libsvtav1"])
def test_a_phone_photo_that_is_cut_short_is_refused_or_noted(tmp_path: Path, encoder: str) -> None:
    frame = VideoFrame.from_ndarray(np.asarray(noise().resize((64, 64))), format="rgb24").reformat(format="yuv420p")
    data = build(Heif([frame], encoder=encoder, alone=True))
    assert notes_of(written(tmp_path / "whole.heic", data)) == []
    path = written(tmp_path / "cut.heic", data[:-200])
    try:
        notes = notes_of(path)
    except VFEError:
        return
    assert len(notes) == 1
    assert "damaged or cut short" in notes[0]


@pytest.mark.parametrize(("kind", "suffix"), [("WEBP", ".webp"), ("PNG", ".png")])
def test_an_animation_that_lost_pictures_is_noted(tmp_path: Path, kind: str, suffix: str) -> None:
    turned = [noise().rotate(angle) for angle in (0, 180, 0, 180)]
    data = encoded(turned[0], kind, save_all=True, append_images=turned[1:])
    (tmp_path / f"a{suffix}").write_bytes(data[: 2 * len(data) // 3])
    (tmp_path / f"whole{suffix}").write_bytes(data)
    assert any("damaged or cut short: 2 " in note for note in notes_of(tmp_path / f"a{suffix}"))
    assert notes_of(tmp_path / f"whole{suffix}") == []


def test_pages_that_are_missing_are_noted(tmp_path: Path) -> None:
    data = bytearray(encoded(noise(), "TIFF", save_all=True, append_images=[noise(), noise()]))
    assert notes_of(written(tmp_path / "whole.tif", bytes(data))) == []
    # Pages are chained: the second is made to say that the third is behind the end of the file.
    second = int.from_bytes(data[_next_of(data, int.from_bytes(data[4:8], "little")) :][:4], "little")
    at = _next_of(data, second)
    data[at : at + 4] = (len(data) + 1000).to_bytes(4, "little")
    (note,) = notes_of(written(tmp_path / "cut.tif", bytes(data)))
    assert "damaged or cut short: 2 pictures were read" in note


def _next_of(data: bytearray, place: int) -> int:
    """Where in the directory at a place the place of the next one stands."""
    return place + 2 + 12 * int.from_bytes(data[place : place + 2], "little")


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["RGB", "RGBA"])
def test_lossless_webp_has_alpha_only_where_it_is_used(tmp_path: Path, kind: str) -> None:
    written(tmp_path / "a.webp", encoded(noise(kind), "WEBP", lossless=True, exact=True))
    assert probe(tmp_path / "a.webp").has_alpha == (kind == "RGBA")
    _, sink = copy(tmp_path / "a.webp", tmp_path / "b.jpg")
    assert any("alpha is dropped" in note for note in sink.notes) == (kind == "RGBA")
    copy(tmp_path / "a.webp", tmp_path / "b.png")
    assert np.array_equal(np.array(Image.open(tmp_path / "b.png")), np.array(noise(kind)))


def test_a_fourth_value_that_is_no_alpha_is_left_out(tmp_path: Path) -> None:
    written(tmp_path / "a.tif", encoded(noise("RGBA").convert("RGB").convert("RGBX"), "TIFF"))
    assert not probe(tmp_path / "a.tif").has_alpha
    with open_source(tmp_path / "a.tif") as source:
        (frame,) = source
    assert frame.alpha is None
    expected = torch.from_numpy(np.array(noise("RGBA"))[..., :3].copy()).permute(2, 0, 1)
    assert torch.equal(((frame.pixels + 1) * 127.5).round().byte(), expected)
