"""Files that FFmpeg's muxers do not write, made from some that they do by changing bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.support.heif_file import box, u32
from vfe.video.boxes import boxes, from_bytes
from vfe.video.ebml import SEGMENT, TRACK, TRACKS, VIDEO, Element, elements

PACKET = 188
_IN_ENTRY = 78  # bytes of a picture's sample entry before its boxes


def with_aperture(
    path: Path, size: tuple[int, int], offset: tuple[int, int], shown: tuple[int, int] | None = None
) -> None:
    """Give the first video of an MP4 with its index at the end a clean aperture, and a size to be shown in."""
    clap = box(b"clap", u32(size[0], 1, size[1], 1), *(o.to_bytes(4, "big", signed=True) + u32(1) for o in offset))
    data = bytearray(path.read_bytes())
    chain, (start, end) = [], (0, len(data))
    for name, skipped in ((b"moov", 0), (b"trak", 0), (b"mdia", 0), (b"minf", 0), (b"stbl", 0), (b"stsd", 8), (b"", 0)):
        found = next(b for b in boxes(from_bytes(bytes(data)), start, end) if not name or b.name == name)
        chain.append(found)
        start, end = found.start + skipped, found.end
    entry = chain[-1]
    data[entry.start + _IN_ENTRY : entry.start + _IN_ENTRY] = clap
    for ancestor in chain:
        at = ancestor.start - 8
        data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + len(clap)).to_bytes(4, "big")
    if shown is not None:
        header = data.index(b"tkhd") - 4
        end = header + int.from_bytes(data[header : header + 4], "big")
        data[end - 8 : end] = b"".join(side.to_bytes(2, "big") + b"\0\0" for side in shown)
    path.write_bytes(data)


def with_cropping(path: Path, crop: tuple[int, int, int, int]) -> None:
    """Give the video of a Matroska file a crop (left, top, right, bottom)."""
    data = path.read_bytes()
    facts = zip((0x54CC, 0x54BB, 0x54DD, 0x54AA), crop, strict=True)
    added = b"".join(number.to_bytes(2, "big") + b"\x82" + value.to_bytes(2, "big") for number, value in facts)
    chain: list[Element] = []
    start, end = 0, len(data)
    for number in (SEGMENT, TRACKS, TRACK, VIDEO):
        found = next(e for e in elements(from_bytes(data), start, end) if e.number == number)
        chain.append(found)
        start, end = found.start, found.end
    changed = bytearray(data[:end] + added + data[end:])
    for element in chain:
        _grow(changed, element, len(added))
    path.write_bytes(changed)


def _grow(data: bytearray, element: Element, by: int) -> None:
    """Change the number of bytes that an element states, in as many bytes."""
    for width in range(1, 9):
        at = element.start - width
        if data[at].bit_length() == 9 - width and int.from_bytes(data[at : element.start], "big") != 0:
            value = int.from_bytes(data[at : element.start], "big") & ((1 << 7 * width) - 1)
            if value == element.end - element.start:
                data[at : element.start] = ((1 << 7 * width) | value + by).to_bytes(width, "big")
                return
            if value == (1 << 7 * width) - 1:
                return  # unknown
    raise AssertionError("no size before the element")


def joined_programmes(path: Path, parts: dict[int, Path], tables: dict[int, int]) -> Path:
    """A transport stream of several programmes, number -> file of one; `tables` says where the table of each one is."""
    packets = [list(_packets(file.read_bytes())) for file in parts.values()]
    entries = b"".join(n.to_bytes(2, "big") + (0xE000 | tables[n]).to_bytes(2, "big") for n in parts)
    section = b"\0" + (0xB000 | 9 + len(entries)).to_bytes(2, "big") + b"\0\1\xc1\0\0" + entries
    section += _crc(section).to_bytes(4, "big")
    table = (b"\x47\x40\0\x10\0" + section).ljust(PACKET, b"\xff")
    out = [table]
    for index in range(max(map(len, packets))):
        out += [each[index] for each in packets if index < len(each)]
        out += [table] if index % 40 == 39 else []
    path.write_bytes(b"".join(out))
    return path


def _packets(data: bytes) -> Iterator[bytes]:
    """All but the list of programmes and of services."""
    for at in range(0, len(data), PACKET):
        if int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF not in (0, 17):
            yield data[at : at + PACKET]


def _crc(data: bytes) -> int:
    """CRC-32 of MPEG-2."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value
