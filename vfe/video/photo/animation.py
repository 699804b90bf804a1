"""Image files that hold several pictures: animated PNG and WebP, and the pages of a TIFF. It imports no torch.

FFmpeg reads animated PNGs as videos; of the other two it gives one picture or none, so they are taken apart here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ...types import VFEError
from ..boxes import Read, opened
from ..colour import layout_of
from ..errors import about, reading
from ..planes import MAX_SIDE
from . import png, webp
from .count import count_pictures
from .exif import exif_orientation
from .file import photo_of
from .ifd import IfdReader
from .pages import page_alone, pages
from .tiff import page_tags

PAGE_SECONDS = Fraction(1, 25)  # how long a page is shown, which no file says
OWN_FORMATS = frozenset({"animated WebP", "pages of a TIFF"})


@dataclass(frozen=True)
class Animation:
    """What an animated WebP or a TIFF of several pages holds."""

    format: str
    """Its format, one of OWN_FORMATS."""
    codec: str
    pix_fmt: str
    size: tuple[int, int]
    """The (width, height) of the first picture, upright."""
    frames: int
    seconds: Fraction
    """How long all pictures are shown together."""
    time_base: Fraction


def describe_animation(path: Path) -> Animation | None:
    """Return what an animated WebP or a TIFF of several pages holds, and None for other files.

    Raises VFEError for damaged ones.
    """
    with reading(path), about(path), opened(path) as (read, size):
        if count_pictures(read, size) == 1 or read(0, 8) == png.SIGNATURE:
            return None
        return _describe_webp(read, size) if webp.is_webp(read(0, 16)) else _describe_pages(read, size)


def _describe_webp(read: Read, size: int) -> Animation:
    header = webp.read_header(read)
    if max(header.size) > MAX_SIDE:
        raise VFEError(f"is {header.size[0]}x{header.size[1]}; at most {MAX_SIDE} pixels a side are supported")
    durations = [frame.milliseconds for frame in webp.animation_frames(read, size)]
    turn = exif_orientation(webp.read_file_tags(read, size).exif)
    return Animation(
        format="animated WebP",
        codec="webp",
        pix_fmt="rgba" if header.alpha and webp.shows_through(read, size) else "rgb24",
        size=turn.upright_size(header.size),
        frames=len(durations),
        seconds=Fraction(sum(durations), 1000),
        time_base=Fraction(1, 1000),
    )


def _describe_pages(read: Read, size: int) -> Animation:
    reader = IfdReader(read, size)
    found = list(pages(reader))
    first = photo_of(page_alone(reader, found[0])).frame
    return Animation(
        format="pages of a TIFF",
        codec="tiff",
        pix_fmt=layout_of(first.format.name).name,
        size=exif_orientation(page_tags(reader, found[0]).exif).upright_size((first.width, first.height)),
        frames=len(found),
        seconds=len(found) * PAGE_SECONDS,
        time_base=PAGE_SECONDS,
    )
