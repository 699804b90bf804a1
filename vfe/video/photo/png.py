"""PNG: chunks of length, name, data and checksum (PNG specification, third edition, 5.3)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple

from ..boxes import Read
from .tags import PhotoTags, profile_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PROFILE = 1 << 24  # bytes of an unpacked profile; real ones have a few thousand, some printers' a few million
_PROFILE_NAME = b"ICC profile"


class Chunk(NamedTuple):
    """One chunk, without length and checksum."""

    name: bytes
    data: bytes


def chunks_of(data: bytes) -> Iterator[Chunk]:
    """The chunks of a file, as far as they are whole."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if at + 12 + size > len(data):
            return
        yield Chunk(name, data[at + 8 : at + 8 + size])
        at += 12 + size


def read_tags(data: bytes) -> PhotoTags:
    """Profile and EXIF of a PNG file."""
    icc = exif = None
    for name, content in chunks_of(data):
        if name == b"iCCP" and icc is None:
            icc = _unpacked(content)
        elif name == b"eXIf" and exif is None:
            exif = content
        elif name == b"IEND":
            break
    return PhotoTags(icc, exif)


def animation_frames(read: Read) -> int:
    """Frames of an animated PNG, which says so before its first picture; 1 for any other."""
    at = len(SIGNATURE)
    while len(head := read(at, 12)) == 12 and head[4:8] != b"IDAT":
        if head[4:8] == b"acTL":
            return max(1, int.from_bytes(head[8:12], "big"))
        at += 12 + int.from_bytes(head[:4], "big")
    return 1


def is_whole(read: Read) -> bool:
    """Whether a PNG file goes on to the chunk that ends it."""
    at = len(SIGNATURE)
    while len(head := read(at, 8)) == 8:
        if head[4:] == b"IEND":
            return True
        at += 12 + int.from_bytes(head[:4], "big")
    return False


def with_tags(data: bytes, tags: PhotoTags) -> bytes:
    """A PNG file with this profile and EXIF; both have to stand before the picture."""
    added = []
    if tags.icc is not None:
        added.append(Chunk(b"iCCP", _PROFILE_NAME + b"\0\0" + zlib.compress(tags.icc)))
    if tags.exif is not None:
        added.append(Chunk(b"eXIf", tags.exif))
    header = len(SIGNATURE) + 12 + int.from_bytes(data[8:12], "big")
    return data[:header] + b"".join(map(_packed, added)) + data[header:]


def _packed(chunk: Chunk) -> bytes:
    body = chunk.name + chunk.data
    return len(chunk.data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def _unpacked(content: bytes) -> bytes | None:
    name, _, packed = content.partition(b"\0")
    if not name or packed[:1] != b"\0":  # the only method of compression that there is
        return None
    try:
        return profile_of(zlib.decompressobj().decompress(packed[1:], MAX_PROFILE))
    except zlib.error:
        return None
