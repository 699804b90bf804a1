"""How many pictures an image file holds that are shown one after the other. It needs nothing but Python."""

from __future__ import annotations

from pathlib import Path

from ..boxes import Read, boxes, opened
from . import png, webp
from .ifd import IfdReader
from .pages import pages


def is_animation(path: Path) -> bool:
    """Return whether an image file is a clip: it holds several pictures. Raises OSError as opening does."""
    with opened(path) as (read, size):
        return not has_still(read, size) if is_heif(read(0, 12)) else count_pictures(read, size) > 1


def count_pictures(read: Read, size: int) -> int:
    """Return the number of pictures in a PNG, WebP or TIFF file of `size` bytes; 1 for any other file."""
    head = read(0, 16)
    if head.startswith(png.SIGNATURE):
        return png.animation_frames(read)
    if webp.is_webp(head):
        return max(1, sum(1 for _ in webp.animation_frames(read, size)))
    return max(1, sum(1 for _ in pages(IfdReader(read, size))))


def is_heif(data: bytes) -> bool:
    """Return whether bytes are the start of an ISO media file."""
    return data[4:8] == b"ftyp"


def has_still(read: Read, size: int) -> bool:
    """Return whether an ISO media file holds a still picture and no track of pictures, as image sequences do."""
    names = {box.name for box in boxes(read, 0, size)}
    return b"meta" in names and b"moov" not in names
