"""The tags of any kind of photo file are read, and put into any kind that is written."""

from __future__ import annotations

from . import jpeg, png, tiff, webp
from .exif import upright_exif
from .tags import NO_TAGS, PhotoTags, colour_model

_TIFF = (b"II*\0", b"MM\0*")
_KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WebP", ".tif": "TIFF", ".tiff": "TIFF"}


def tags_of(data: bytes) -> PhotoTags:
    """Return the tags of a PNG, JPEG, WebP or TIFF file; other files have none."""
    if data.startswith(png.SIGNATURE):
        return png.read_tags(data)
    if data.startswith(jpeg.SIGNATURE):
        return jpeg.read_tags(data)
    if webp.is_webp(data):
        return webp.read_tags(data)
    return tiff.read_tags(data) if data[:4] in _TIFF else PhotoTags()


def fitting_tags(tags: PhotoTags, suffix: str, size: tuple[int, int]) -> tuple[PhotoTags, list[str]]:
    """Return the tags that an image file of this kind can hold, and a sentence for each thing that it cannot.

    The image is an upright RGB picture of `size` (width, height).
    """
    icc, notes = tags.icc, []
    exif = None if tags.exif is None else upright_exif(tags.exif, size)
    if tags.exif is not None and exif is None:
        notes.append("EXIF data is left out: it is damaged")
    if icc is not None and colour_model(icc) != "RGB":
        notes.append(f"the ICC profile is left out: it describes {colour_model(icc)} values, the output holds RGB")
        icc = None
    if exif is not None and _KINDS.get(suffix) == "JPEG" and len(exif) > jpeg.MAX_EXIF:
        notes.append("EXIF data is left out: JPEG holds at most 64 KiB of it; write PNG to keep it")
        exif = None
    if suffix not in _KINDS and (icc is not None or exif is not None):
        notes.append(f"ICC profile and EXIF data are left out: {suffix} files hold none; write PNG to keep them")
        icc = exif = None
    coding = tags.coding if tags.coding is not None and tags.coding.matters else None
    if coding is not None and _KINDS.get(suffix) != "PNG":
        if coding.is_hdr or icc is None:
            what = "HDR" if coding.is_hdr else "of a wide gamut"
            notes.append(f"that the colours are {what} is left out: {suffix} files cannot say it; write PNG to keep it")
        coding = None
    notes += [f"{what} is left out: only ICC profile and EXIF data are carried over" for what in tags.lost]
    return PhotoTags(icc, exif, coding=coding), notes


def tagged(data: bytes, tags: PhotoTags, suffix: str, size: tuple[int, int]) -> bytes:
    """Return the bytes of an image file of this kind and `size` (width, height) with tags that fit it."""
    if tags == NO_TAGS:
        return data
    if _KINDS[suffix] == "PNG":
        return png.with_tags(data, tags)
    if _KINDS[suffix] == "JPEG":
        return jpeg.with_tags(data, tags)
    return webp.with_tags(data, tags, size) if _KINDS[suffix] == "WebP" else tiff.with_tags(data, tags)
