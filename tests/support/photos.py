"""Photos with colour profile and camera data, made with Pillow and read back with it: another hand than ours."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational

from tests.support.clips import picture

EXIF, GPS, INTEROP, THUMBNAIL = 0x8769, 0x8825, 0xA005, 1
MAKE, MODEL, ORIENTATION, EXPOSURE, PIXEL_WIDTH, PIXEL_HEIGHT, MAKER_NOTE = (
    0x010F, 0x0110, 0x0112, 0x829A, 0xA002, 0xA003, 0x927C,
)  # fmt: skip
NOTE = b"what the maker keeps for itself" * 4


_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


class Read(NamedTuple):
    """What Pillow finds in a file."""

    size: tuple[int, int]
    icc: bytes | None
    first: dict[int, Any]
    """Entries of the first directory of EXIF."""
    exif: dict[int, Any]
    gps: dict[int, Any]
    thumbnail: dict[int, Any]


def profile(space: bytes = b"RGB ", padding: int = 0) -> bytes:
    """An ICC profile of sRGB, said to be of another colour space or made larger."""
    data = bytearray(_SRGB + bytes(padding))
    data[:4], data[16:20] = len(data).to_bytes(4, "big"), space
    return bytes(data)


def camera_data(orientation: int = 6, size: tuple[int, int] = (64, 48)) -> Image.Exif:
    """What a phone writes."""
    exif = Image.Exif()
    exif[MAKE], exif[MODEL], exif[ORIENTATION] = "Maker", "Model X", orientation
    inner = exif.get_ifd(EXIF)
    inner[EXPOSURE], inner[PIXEL_WIDTH], inner[PIXEL_HEIGHT], inner[MAKER_NOTE] = IFDRational(1, 125), *size, NOTE
    inner[INTEROP] = {1: "R98"}
    exif.get_ifd(GPS)[1], exif.get_ifd(GPS)[2] = "N", (52.0, 31.0, 12.0)
    return exif


def image(index: int = 1, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A picture of which no two corners are alike."""
    return Image.fromarray(picture(index, *size))


def write_photo(path: Path, exif: Image.Exif | None = None, icc: bytes | None = None, **more: object) -> Path:
    """Write a photo in the format of the suffix, with everything in it."""
    exif = camera_data() if exif is None else exif
    image().save(path, exif=exif.tobytes(), icc_profile=profile() if icc is None else icc, **more)  # type: ignore[arg-type]
    return path


def read_photo_file(path: Path) -> Read:
    """What another reader finds."""
    with Image.open(path) as opened:
        opened.load()
        exif = opened.getexif()
        return Read(
            opened.size,
            opened.info.get("icc_profile"),
            dict(exif),
            dict(exif.get_ifd(EXIF)),
            dict(exif.get_ifd(GPS)),
            dict(exif.get_ifd(THUMBNAIL)),
        )


def thumbnail_block(order: str = "II") -> bytes:
    """An EXIF block with a thumbnail, as cameras lay it out: two directories, then the picture."""
    small = io.BytesIO()
    image(size=(16, 12)).save(small, "JPEG")
    data = small.getvalue()
    endian = "little" if order == "II" else "big"

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, endian)  # type: ignore[arg-type]

    def entry(tag: int, kind: int, count: int, value: int) -> bytes:
        inline = number(value, 2) + bytes(2) if kind == 3 else number(value, 4)
        return number(tag, 2) + number(kind, 2) + number(count, 4) + inline

    first, make = 8, b"Maker of cameras\0"
    second = first + 2 + 2 * 12 + 4 + len(make) + 1
    place = second + 2 + 3 * 12 + 4
    block = order.encode() + number(42, 2) + number(first, 4)
    block += number(2, 2) + entry(MAKE, 2, len(make), first + 2 + 2 * 12 + 4) + entry(ORIENTATION, 3, 1, 3)
    block += number(second, 4) + make + b"\0"
    block += number(3, 2) + entry(0x0103, 3, 1, 6) + entry(0x0201, 4, 1, place) + entry(0x0202, 4, 1, len(data))
    return block + bytes(4) + data


def pixels(path: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(H, W, 3) as Pillow decodes it, not turned."""
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB")).astype(np.int64)
