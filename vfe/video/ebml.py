"""Elements of Matroska and WebM files: a number, a size and a content (RFC 8794, RFC 9559)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .boxes import Read

HEADER, SEGMENT, CLUSTER, TRACKS, TRACK = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE
TRACK_TYPE, VIDEO = 0x83, 0xE0
CROP_BOTTOM, CROP_TOP, CROP_LEFT, CROP_RIGHT = 0x54AA, 0x54BB, 0x54CC, 0x54DD
_VIDEO_TYPE = 1
_MAX_ELEMENTS = 10_000  # of one level, before the first cluster


class Element(NamedTuple):
    """An element, and the offsets at which its content begins and ends."""

    number: int
    start: int
    end: int


def elements(read: Read, start: int, end: int) -> Iterator[Element]:
    """Yield the elements between two offsets, as far as they are whole; one of unknown size goes to the end."""
    for _ in range(_MAX_ELEMENTS):
        head = read(start, 12)
        number, size_at = _number(head, 0, keep_marker=True)
        size, content = _number(head, size_at, keep_marker=False)
        if start >= end or not size_at or not content:
            return
        unknown = size == (1 << 7 * (content - size_at)) - 1
        stop = end if unknown else start + content + size
        if stop > end:
            return
        yield Element(number, start + content, stop)
        start = stop


def video_tracks(read: Read, size: int) -> list[dict[int, int]]:
    """Return what the video tracks of a file of `size` bytes say of their pictures: whole numbers by those of their
    elements.
    """
    found: list[dict[int, int]] = []
    for segment in elements(read, 0, size):
        for part in elements(read, segment.start, segment.end) if segment.number == SEGMENT else ():
            if part.number == CLUSTER:  # what describes the tracks comes before
                return found
            if part.number == TRACKS:
                tracks = (e for e in elements(read, part.start, part.end) if e.number == TRACK)
                found += [facts for track in tracks if (facts := _picture(read, track)) is not None]
    return found


def _picture(read: Read, track: Element) -> dict[int, int] | None:
    """Return what a track says of its pictures; None where it is no video."""
    facts: dict[int, int] = {}
    kind = 0
    for element in elements(read, track.start, track.end):
        if element.number == TRACK_TYPE:
            kind = _value(read, element)
        elif element.number == VIDEO:
            facts = {e.number: _value(read, e) for e in elements(read, element.start, element.end)}
    return facts if kind == _VIDEO_TYPE else None


def _value(read: Read, element: Element) -> int:
    return int.from_bytes(read(element.start, min(element.end - element.start, 8)), "big")


def _number(data: bytes, at: int, keep_marker: bool) -> tuple[int, int]:
    """Return a number of variable size at an offset, and the offset behind it; (0, 0) where there is none."""
    first = data[at] if at < len(data) else 0
    size = 9 - first.bit_length() if first else 0
    if not size or at + size > len(data):
        return 0, 0
    value = int.from_bytes(data[at : at + size], "big")
    return value if keep_marker else value & ((1 << 7 * size) - 1), at + size
