"""What a container says is to be cut off its pictures; the libraries of FFmpeg leave that to their users."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from .boxes import Box, Read, boxes, find, opened
from .crop import NO_CROP, Crop, clean_aperture
from .ebml import CROP_BOTTOM, CROP_LEFT, CROP_RIGHT, CROP_TOP, video_tracks

_SAMPLE_ENTRY = 78  # bytes of a picture's entry before its boxes (ISO/IEC 14496-12, 12.1.3)
_ENTRIES = 8  # bytes before the first entry of a table


class Framing(NamedTuple):
    """Which part of a stored picture is shown, and in which shape."""

    crop: Crop = NO_CROP
    aspect: Fraction | None = None
    """The width of a stored pixel over its height, where FFmpeg gives another one than holds for the part that is
    shown.
    """


def read_framing(path: Path, container: InputContainer, stream: VideoStream, stored: tuple[int, int]) -> Framing:
    """Return the framing of a stream whose pictures are `stored` (width, height).

    A crop that leaves nothing is ignored. Raises OSError as reading does.
    """
    name = container.format.name
    if "matroska" not in name and "mp4" not in name:
        return Framing()
    with opened(path) as (read, size):
        if "mp4" in name:
            return next(_of_tracks(read, size, stream.id, stored), Framing())
        crop = _of_matroska(read, size, _index_among_videos(container, stream))
        return Framing(crop) if crop.fits(stored) else Framing()


def _index_among_videos(container: InputContainer, stream: VideoStream) -> int:
    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    return videos.index(stream)


def _of_matroska(read: Read, size: int, index: int) -> Crop:
    tracks = video_tracks(read, size)
    facts = tracks[index] if index < len(tracks) else {}
    return Crop(*(facts.get(number, 0) for number in (CROP_LEFT, CROP_TOP, CROP_RIGHT, CROP_BOTTOM)))


def _of_tracks(read: Read, size: int, track: int, stored: tuple[int, int]) -> Iterator[Framing]:
    """Yield the framing of each kind of samples of a track that has a clean aperture."""
    for trak in find(read, 0, size, b"moov", b"trak"):
        number, shown = _header(read, trak)
        for table in find(read, trak.start, trak.end, b"mdia", b"minf", b"stbl", b"stsd") if number == track else ():
            for entry in boxes(read, table.start + _ENTRIES, table.end):
                inside = {box.name: box for box in boxes(read, entry.start + _SAMPLE_ENTRY, entry.end)}
                if b"clap" in inside:
                    box = inside[b"clap"]
                    crop = clean_aperture(read(box.start, box.end - box.start), stored)
                    yield Framing(crop, None if b"pasp" in inside else _aspect(crop, shown, stored))


def _header(read: Read, trak: Box) -> tuple[int, tuple[int, int]]:
    """Return the number of a track, and the (width, height) in which its pictures are to be shown."""
    for header in find(read, trak.start, trak.end, b"tkhd"):
        wide = read(header.start, 1) == b"\1"
        number = int.from_bytes(read(header.start + (20 if wide else 12), 4), "big")
        sides = read(header.end - 8, 8)
        return number, (int.from_bytes(sides[:2], "big"), int.from_bytes(sides[4:6], "big"))
    return 0, (0, 0)


def _aspect(crop: Crop, shown: tuple[int, int], stored: tuple[int, int]) -> Fraction | None:
    """Return the pixel aspect that the size of a track gives to the part shown; FFmpeg compares that size with the
    whole.
    """
    if not all(shown) or shown == stored:
        return None
    width, height = crop.size(stored)
    return Fraction(shown[0] * height, shown[1] * width)
