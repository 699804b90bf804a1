"""The items of a HEIF file: pictures, tiles and camera data, with properties and references (ISO/IEC 23008-12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ..boxes import Box, Read, boxes, find, from_bytes

MAX_META = 1 << 24  # bytes of the box that describes the items; real ones have some thousand
_MAX_ITEM = 1 << 30  # bytes of one item


class Extent(NamedTuple):
    """A piece of an item's data, in the file or in the box of small data."""

    in_box: bool
    offset: int
    size: int


class Property(NamedTuple):
    """A property of items, such as a size or a turn."""

    name: bytes
    data: bytes


@dataclass
class Items:
    """What the `meta` box of a file says, by the numbers of the items."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    extents: dict[int, list[Extent]] = field(default_factory=dict)
    properties: dict[int, list[Property]] = field(default_factory=dict)
    """The properties of each item, in the order in which they apply."""
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    """References as (kind, from, to)."""
    small_data: bytes = b""

    def referred(self, kind: bytes, item: int) -> list[int]:
        """Return the items that an item refers to by references of a kind."""
        return [target for k, source, targets in self.references if (k, source) == (kind, item) for target in targets]

    def referring(self, kind: bytes, item: int) -> list[int]:
        """Return the items that refer to an item by references of a kind."""
        return [source for k, source, targets in self.references if k == kind and item in targets]

    def first_property(self, item: int, name: bytes) -> bytes | None:
        """Return the content of the first property of a name, or None."""
        return next((found.data for found in self.properties.get(item, ()) if found.name == name), None)

    def reach(self) -> int:
        """Return the offset in the file at which the data of the items ends, as the file says."""
        return max((e.offset + e.size for pieces in self.extents.values() for e in pieces if not e.in_box), default=0)

    def data(self, read: Read, item: int) -> bytes:
        """Return the data of an item, as far as it is there."""
        parts, room = [], _MAX_ITEM
        for in_box, offset, size in self.extents.get(item, ()):
            size = min(size, room) if size else room  # 0: up to the end
            parts.append(self.small_data[offset : offset + size] if in_box else read(offset, size))
            room -= len(parts[-1])
        return b"".join(parts)


def read_items(read: Read, size: int) -> Items | None:
    """Return the items of a file of `size` bytes; None where there are none."""
    meta = next(find(read, 0, size, b"meta"), None)
    if meta is None or meta.end - meta.start > MAX_META:
        return None
    data = read(meta.start + 4, meta.end - meta.start - 4)
    inner = from_bytes(data)
    items = Items()
    for box in boxes(inner, 0, len(data)):
        content = data[box.start : box.end]
        if box.name == b"pitm":
            items.primary = _Cursor(content, 4).number(4 if content[:1] == b"\1" else 2)
        elif box.name == b"iinf":
            items.kinds = dict(_kinds(content))
        elif box.name == b"iloc":
            items.extents = dict(_extents(content))
        elif box.name == b"iref":
            items.references = list(_references(content))
        elif box.name == b"iprp":
            items.properties = dict(_properties(content))
        elif box.name == b"idat":
            items.small_data = content
    return items


class _Cursor:
    """Reads numbers one after the other; behind the end they are 0."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def number(self, size: int) -> int:
        """Return the next number of `size` bytes."""
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "big")

    def ended(self) -> bool:
        """Return whether no byte is left."""
        return self.at >= len(self.data)


def _kinds(content: bytes) -> Iterator[tuple[int, bytes]]:
    start = 6 if content[:1] == b"\0" else 8
    for box in boxes(from_bytes(content), start, len(content)):
        cursor = _Cursor(content[box.start : box.end])
        version = cursor.number(1)
        if box.name == b"infe" and version in (2, 3):
            cursor.number(3)  # flags
            item = cursor.number(4 if version == 3 else 2)
            cursor.number(2)  # protection
            yield item, cursor.data[cursor.at : cursor.at + 4]


def _extents(content: bytes) -> Iterator[tuple[int, list[Extent]]]:
    version, cursor = content[0] if content else 0, _Cursor(content, 4)
    sizes = cursor.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(cursor.number(4 if version == 2 else 2)):
        if cursor.ended():
            return
        item = cursor.number(4 if version == 2 else 2)
        method = cursor.number(2) & 15 if version else 0
        cursor.number(2)  # data reference: this file
        base = cursor.number(base_size)
        extents = []
        count = cursor.number(2)
        for _ in range(count if offset_size + length_size else min(count, 1)):
            if cursor.ended():
                return
            cursor.number(index_size if version else 0)
            offset, length = cursor.number(offset_size), cursor.number(length_size)
            extents.append(Extent(method == 1, base + offset, length))
        yield item, extents if method in (0, 1) else []


def _references(content: bytes) -> Iterator[tuple[bytes, int, list[int]]]:
    width = 4 if content[:1] == b"\1" else 2
    for box in boxes(from_bytes(content), 4, len(content)):
        cursor = _Cursor(content[box.start : box.end])
        source, count = cursor.number(width), cursor.number(2)
        yield box.name, source, [cursor.number(width) for _ in range(min(count, len(cursor.data) // width))]


def _properties(content: bytes) -> Iterator[tuple[int, list[Property]]]:
    read = from_bytes(content)
    known: list[Property] = []
    for box in find(read, 0, len(content), b"ipco"):
        known = [Property(b.name, content[b.start : b.end]) for b in boxes(read, box.start, box.end)]
    for box in find(read, 0, len(content), b"ipma"):
        yield from _associations(content, box, known)


def _associations(content: bytes, box: Box, known: list[Property]) -> Iterator[tuple[int, list[Property]]]:
    cursor = _Cursor(content[box.start : box.end])
    version, wide = cursor.number(1), cursor.number(3) & 1
    for _ in range(cursor.number(4)):
        if cursor.ended():
            return
        item, count = cursor.number(4 if version else 2), cursor.number(1)
        indices = [cursor.number(2) & 0x7FFF if wide else cursor.number(1) & 0x7F for _ in range(count)]
        yield item, [known[index - 1] for index in indices if 0 < index <= len(known)]
