"""JPEG files: markers with segments of at most 65535 bytes (ITU-T T.81, B.1.1), EXIF in APP1 and the profile
in APP2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .tags import PhotoTags, profile_of

SIGNATURE = b"\xff\xd8"
_APP0, _APP1, _APP2, _APP13 = 0xE0, 0xE1, 0xE2, 0xED
_START_OF_SCAN, _END = 0xDA, 0xD9
_EXIF, _ICC, _XMP, _PICTURES = b"Exif\0\0", b"ICC_PROFILE\0", b"http://ns.adobe.com/xap/1.0/\0", b"MPF\0"
_MAX_SEGMENT = 65533  # bytes of a segment besides its length
MAX_EXIF = _MAX_SEGMENT - len(_EXIF)


# What ends a scan: a marker that is neither a stuffed byte nor one of those that allow for restarts.
_BEHIND_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class Segment(NamedTuple):
    """A segment before the picture, without marker and length."""

    marker: int
    data: bytes
    end: int
    """The offset at which the next one starts."""


def segments_of(data: bytes) -> Iterator[Segment]:
    """Yield the segments up to the picture, as far as they are whole."""
    at = len(SIGNATURE)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # markers may be filled up
            at += 1
            continue
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + size
        if marker in (_START_OF_SCAN, _END) or size < 2 or end > len(data):
            return
        yield Segment(marker, data[at + 4 : end], end)
        at = end


def is_whole(data: bytes) -> bool:
    """Return whether the marker of the end follows the picture; without it FFmpeg paints the rest grey."""
    at = max((segment.end for segment in segments_of(data)), default=len(SIGNATURE))
    while found := _BEHIND_SCAN.search(data, at):
        marker = data[found.start() + 1]
        if marker == _END:
            return True
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    return False


def read_tags(data: bytes) -> PhotoTags:
    """Return the tags of a JPEG file; profiles of several segments are put together by their numbers."""
    exif = None
    parts: dict[int, bytes] = {}
    lost = []
    for marker, content, _ in segments_of(data):
        if marker == _APP1 and content.startswith(_EXIF) and exif is None:
            exif = content[len(_EXIF) :]
        elif marker == _APP2 and content.startswith(_ICC):
            parts[content[len(_ICC)] if len(content) > len(_ICC) else 0] = content[len(_ICC) + 2 :]
        elif marker == _APP1 and content.startswith(_XMP):
            lost.append("XMP data")
        elif marker == _APP13:
            lost.append("IPTC data")
        elif marker == _APP2 and content.startswith(_PICTURES):
            lost.append("further pictures of the file (a preview or HDR gain map)")
    icc = profile_of(b"".join(parts[number] for number in sorted(parts)))
    return PhotoTags(icc, exif, tuple(dict.fromkeys(lost)))


def with_tags(data: bytes, tags: PhotoTags) -> bytes:
    """Return a JPEG file with these tags, whose EXIF has at most MAX_EXIF bytes.

    They stand behind the APP0 segment where there is one.
    """
    added = []
    if tags.exif is not None:
        added.append(_segment(_APP1, _EXIF + tags.exif))
    if tags.icc is not None:
        room = _MAX_SEGMENT - len(_ICC) - 2
        parts = [tags.icc[at : at + room] for at in range(0, len(tags.icc), room)]
        added += [_segment(_APP2, _ICC + bytes([n, len(parts)]) + part) for n, part in enumerate(parts, start=1)]
    first = next(segments_of(data), None)
    at = first.end if first is not None and first.marker == _APP0 else len(SIGNATURE)
    return data[:at] + b"".join(added) + data[at:]


def _segment(marker: int, content: bytes) -> bytes:
    assert len(content) <= _MAX_SEGMENT
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content
