"""PNG files: chunks of length, name, data and checksum (PNG specification, third edition, 5.3)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from ..boxes import Read
from ..hdr import ColourCoding, Display, Hdr, Light
from .tags import PhotoTags, profile_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PROFILE = 1 << 24  # bytes of an unpacked profile; real ones have a few thousand, some printers' a few million
_PROFILE_NAME = b"ICC profile"
_CODING = struct.Struct(">4B")  # primaries, transfer, matrix, which is none, and whether the range is full
_DISPLAY = struct.Struct(">8H2I")  # chromaticities of red, green, blue and white, the brightest and darkest luminance
_LIGHT = struct.Struct(">2I")
_LIGHT_UNIT = 10_000  # of a candela per square metre


class Chunk(NamedTuple):
    """A chunk without length and checksum."""

    name: bytes
    data: bytes


def chunks_of(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks of a file, as far as they are whole."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if at + 12 + size > len(data):
            return
        yield Chunk(name, data[at + 8 : at + 8 + size])
        at += 12 + size


def read_tags(data: bytes) -> PhotoTags:
    """Return the profile, the coding and the EXIF data of a PNG file."""
    icc = exif = None
    colours: dict[bytes, bytes] = {}
    for name, content in chunks_of(data):
        if name == b"iCCP" and icc is None:
            icc = _unpacked(content)
        elif name == b"eXIf" and exif is None:
            exif = content
        elif name in (b"cICP", b"mDCV", b"cLLI"):
            colours.setdefault(name, content)
        elif name == b"IEND":
            break
    return PhotoTags(icc, exif, coding=_coding(colours))


def _coding(chunks: dict[bytes, bytes]) -> ColourCoding | None:
    """Return what the chunks about colours say, given by their names; None where they say nothing.

    The chunks are those of the PNG specification, third edition, 11.3.2.6 to 11.3.2.8.
    """
    content = chunks.get(b"cICP", b"")
    if len(content) != _CODING.size:
        return None
    primaries, transfer, matrix, _ = _CODING.unpack(content)
    display, light = chunks.get(b"mDCV", b""), chunks.get(b"cLLI", b"")
    hdr = Hdr(
        _display(*_DISPLAY.unpack(display)) if len(display) == _DISPLAY.size else None,
        Light(*(level // _LIGHT_UNIT for level in _LIGHT.unpack(light))) if len(light) == _LIGHT.size else None,
    )
    return ColourCoding(primaries, transfer, hdr) if matrix == 0 else None


def _display(*numbers: int) -> Display:
    red, green, blue, white = zip(numbers[:8:2], numbers[1:8:2], strict=True)
    return Display(red, green, blue, white, darkest=numbers[9], brightest=numbers[8])


def _coding_chunks(coding: ColourCoding) -> Iterator[Chunk]:
    """Yield the chunks that say how colours are coded."""
    yield Chunk(b"cICP", _CODING.pack(coding.primaries, coding.transfer, 0, 1))
    display, light = coding.hdr.display, coding.hdr.light
    if display is not None:
        points = (*display.red, *display.green, *display.blue, *display.white)
        yield Chunk(b"mDCV", _DISPLAY.pack(*(min(p, 0xFFFF) for p in points), display.brightest, display.darkest))
    if light is not None:
        yield Chunk(b"cLLI", _LIGHT.pack(*(min(level * _LIGHT_UNIT, 0xFFFFFFFF) for level in light)))


def animation_frames(read: Read) -> int:
    """Return the number of frames of an animated PNG, which stands before its first picture; 1 for any other."""
    at = len(SIGNATURE)
    while len(head := read(at, 12)) == 12 and head[4:8] != b"IDAT":
        if head[4:8] == b"acTL":
            return max(1, int.from_bytes(head[8:12], "big"))
        at += 12 + int.from_bytes(head[:4], "big")
    return 1


def is_whole(read: Read) -> bool:
    """Return whether a PNG file goes on to the chunk that ends it."""
    at = len(SIGNATURE)
    while len(head := read(at, 8)) == 8:
        if head[4:] == b"IEND":
            return True
        at += 12 + int.from_bytes(head[:4], "big")
    return False


def with_tags(data: bytes, tags: PhotoTags) -> bytes:
    """Return a PNG file with these tags, all of which have to stand before the picture."""
    added = list(_coding_chunks(tags.coding)) if tags.coding is not None else []
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
