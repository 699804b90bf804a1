"""Whether an image file is all there: FFmpeg shows what it has of a picture, and the pictures that it finds."""

from __future__ import annotations

from ..boxes import Read
from . import jpeg, png, webp
from .ifd import IfdReader
from .pages import all_there


def is_whole(read: Read, size: int) -> bool:
    """Return whether a PNG, JPEG, WebP or TIFF file of `size` bytes ends where it says; other files count as whole."""
    head = read(0, 16)
    if head.startswith(png.SIGNATURE):
        return png.is_whole(read)
    if head.startswith(jpeg.SIGNATURE):
        return jpeg.is_whole(read(0, size))
    if webp.is_webp(head):
        return webp.is_whole(read, size)
    return all_there(IfdReader(read, size))
