"""What travels with the pixels of a photo: the ICC profile and the coding of its colours, and its EXIF data."""

from __future__ import annotations

from typing import NamedTuple

from ..hdr import ColourCoding

_HEADER = 128  # bytes of an ICC profile before its table of tags (ICC.1:2022, 7.2)
_SPACE, _SIGNATURE = slice(16, 20), slice(36, 40)


class PhotoTags(NamedTuple):
    """What a file says of its picture; None for what it does not have."""

    icc: bytes | None = None
    exif: bytes | None = None
    """A TIFF block, as it stands behind "Exif\\0\\0" in a JPEG file."""
    lost: tuple[str, ...] = ()
    """What else the file holds and no output will, in words."""
    coding: ColourCoding | None = None
    """How the RGB values are coded; where there is an ICC profile too, this holds above it."""


NO_TAGS = PhotoTags()


def is_profile(icc: bytes) -> bool:
    """Return whether bytes are an ICC profile, judged by their header."""
    stated = int.from_bytes(icc[:4], "big")
    return len(icc) > _HEADER and icc[_SIGNATURE] == b"acsp" and _HEADER < stated <= len(icc)


def profile_of(data: bytes) -> bytes | None:
    """Return the ICC profile at the start of `data`, which writers pad, or None where there is none."""
    return data[: int.from_bytes(data[:4], "big")] if is_profile(data) else None


def colour_model(icc: bytes) -> str:
    """Return what the numbers are that a profile describes: RGB, GRAY, CMYK, and so on."""
    return icc[_SPACE].decode("latin-1").strip()
