"""Directories of tagged values, as TIFF files and EXIF blocks hold them (TIFF 6.0, section 2).

Values are kept in little-endian order whatever the order of their file, and are written so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Order = Literal["little", "big"]

SHORT, LONG, IFD = 3, 4, 13
_UNITS = {1: 1, 2: 1, SHORT: 2, LONG: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, IFD: 4}  # type -> bytes
_UNITS_OF_VALUE = {5: 2, 10: 2}  # fractions are two numbers
_ENTRY, _INLINE = 12, 4  # bytes of an entry, and of its last part: the values, or their offset where they do not fit
_ORDERS: dict[bytes, Order] = {b"II*\0": "little", b"MM\0*": "big"}
HEADER_SIZE = 8


@dataclass(frozen=True)
class Entry:
    """A tag with its values."""

    tag: int
    kind: int
    """The type of the values, a number of TIFF's table."""
    value: bytes
    offset: int = 0
    """Where in its file the values begin."""

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.value) // (_UNITS[self.kind] * _UNITS_OF_VALUE.get(self.kind, 1))

    @property
    def numbers(self) -> list[int]:
        """The values, where they are whole numbers."""
        unit = _UNITS[self.kind]
        return [int.from_bytes(self.value[at : at + unit], "little") for at in range(0, len(self.value), unit)]


def entry(tag: int, kind: int, numbers: list[int]) -> Entry:
    """Return an entry with whole numbers as its values."""
    return Entry(tag, kind, b"".join(number.to_bytes(_UNITS[kind], "little") for number in numbers))


class Directory(NamedTuple):
    """A directory of a file."""

    entries: dict[int, Entry]
    next: int
    """The offset of the next directory, 0 after the last."""
    offset: int
    next_offset: int
    end: int
    """Where its table begins, where in it `next` stands, and where it ends, for some writers leave `next` out."""


class IfdReader:
    """Reads directories by their offset. `read(offset, size)` gives bytes of the file, fewer where it ends."""

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self.read, self.size = read, size
        header = read(0, HEADER_SIZE)
        known = header[:4] in _ORDERS and len(header) == HEADER_SIZE
        self.order: Order = _ORDERS.get(header[:4], "little")
        self.first = self._number(header[4:8]) if known else 0

    @classmethod
    def of(cls, data: bytes) -> IfdReader:
        """Return a reader of these bytes."""
        return cls(lambda at, size: data[at : at + size], len(data))

    def directory(self, offset: int) -> Directory | None:
        """Return the directory at an offset, or None where there is none.

        Entries of unknown types or with values outside of the file are left out.
        """
        count_bytes = self.read(offset, 2)
        if not HEADER_SIZE <= offset or len(count_bytes) < 2:
            return None
        count = self._number(count_bytes)
        table = self.read(offset + 2, count * _ENTRY + 4)
        if not count or len(table) < count * _ENTRY:
            return None
        next_offset, end = offset + 2 + count * _ENTRY, offset + 2 + len(table)
        entries: dict[int, Entry] = {}
        room = self.size  # values that lie over each other, which no writer does, must not fill the memory
        for index in range(count):
            found = self._entry(table[index * _ENTRY : (index + 1) * _ENTRY], offset + 2 + index * _ENTRY, room)
            if found is not None:
                entries.setdefault(found.tag, found)
                room -= len(found.value)
        return Directory(entries, self._number(table[count * _ENTRY :]), offset, next_offset, end)

    def _entry(self, raw: bytes, at: int, room: int) -> Entry | None:
        tag, kind, count = self._number(raw[:2]), self._number(raw[2:4]), self._number(raw[4:8])
        unit = _UNITS.get(kind, 0)
        size = unit * _UNITS_OF_VALUE.get(kind, 1) * count
        offset = at + 8 if size <= _INLINE else self._number(raw[8:12])
        if not 0 < size <= room or offset + size > self.size:
            return None
        value = raw[8 : 8 + size] if size <= _INLINE else self.read(offset, size)
        return Entry(tag, kind, _swapped(value, unit) if self.order == "big" else value, offset)

    def _number(self, data: bytes) -> int:
        return int.from_bytes(data, self.order)


@dataclass(frozen=True)
class IfdTree:
    """A directory that is to be written, with those that some of its tags point to."""

    entries: Mapping[int, Entry]
    children: Mapping[int, IfdTree] = field(default_factory=dict)

    def packed(self, offset: int, order: Order = "little") -> bytes:
        """Return its bytes at an even offset of a file of this order, with its values and children behind it."""
        tags = sorted(self.entries.keys() | self.children.keys())
        behind = offset + 2 + len(tags) * _ENTRY + 4
        table, values = [], bytearray()
        for tag in tags:
            here = behind + len(values)
            child = self.children.get(tag)
            found = self.entries[tag] if child is None else entry(tag, LONG, [here])
            value = _swapped(found.value, _UNITS[found.kind]) if order == "big" else found.value
            head = tag.to_bytes(2, order) + found.kind.to_bytes(2, order) + found.count.to_bytes(4, order)
            inline = len(value) <= _INLINE
            table.append(head + (value.ljust(_INLINE, b"\0") if inline else here.to_bytes(_INLINE, order)))
            values += child.packed(here, order) if child is not None else b"" if inline else value
            values += b"\0" * (len(values) % 2)
        return len(tags).to_bytes(2, order) + b"".join(table) + bytes(4) + bytes(values)


def block(tree: IfdTree, order: Order = "little", body: bytes = b"") -> bytes:
    """Return a whole block of one directory, which stands behind `body`."""
    magic = next(magic for magic, named in _ORDERS.items() if named == order)
    body += b"\0" * (len(body) % 2)
    offset = HEADER_SIZE + len(body)
    return magic + offset.to_bytes(4, order) + body + tree.packed(offset, order)


def _swapped(value: bytes, unit: int) -> bytes:
    """Return values with the bytes of each unit in the opposite order."""
    return b"".join(value[at : at + unit][::-1] for at in range(0, len(value), unit))
