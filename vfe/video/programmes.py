"""Programmes of a transport stream: which streams belong together (ISO/IEC 13818-1, 2.4.4).

PyAV hands out the streams of all programmes in one list, so the tables that group them are read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SYNC_BYTE = 0x47
_SIZES = ((188, 0), (192, 4), (204, 0))  # bytes of a packet, and where in it the sync byte is: TS, Blu-ray's, DVB's
_CHECKED = 5  # packets in a row that have their sync byte
_SEARCHED_BYTES = 1 << 24  # at the start of a file; the tables are repeated several times a second
_PAT, _NULL = 0, 0x1FFF
_PAT_TABLE, _PMT_TABLE = 0, 2
_MAX_SECTION = 1021 + 3


class Programme(NamedTuple):
    """A programme, and the packet identifiers of its streams, which FFmpeg gives as their ids."""

    number: int
    streams: frozenset[int]


def read_programmes(path: Path) -> tuple[Programme, ...]:
    """Return the programmes of a transport stream in the order of its table; other files have none.

    Raises OSError as reading does.
    """
    with path.open("rb") as file:
        data = file.read(_SEARCHED_BYTES)
    tables: dict[int, bytes] = {}
    numbers: dict[int, int] = {}  # where a programme's table is -> its number
    for pid, section in _sections(data):
        if pid == _PAT and section[:1] == bytes([_PAT_TABLE]):
            numbers |= _programme_tables(section)
        elif section[:1] == bytes([_PMT_TABLE]):
            tables.setdefault(pid, section)
        if numbers and numbers.keys() <= tables.keys():
            break
    found = [Programme(number, _streams(tables[pid])) for pid, number in numbers.items() if pid in tables]
    return tuple(found)


def _packets(data: bytes) -> Iterator[bytes]:
    """Yield the packets of 188 bytes, in whatever they are wrapped."""
    for size, offset in _SIZES:
        for start in range(size):
            if all(data[start + offset + i * size : start + offset + i * size + 1] == b"\x47" for i in range(_CHECKED)):
                for at in range(start + offset, len(data) - 187, size):
                    if data[at] == SYNC_BYTE:
                        yield data[at : at + 188]
                return


def _sections(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the packet identifier and the bytes of each section that may be a table; those of several packets are
    joined.
    """
    open_sections: dict[int, bytearray] = {}
    for packet in _packets(data):
        starts, pid = bool(packet[1] & 0x40), int.from_bytes(packet[1:3], "big") & 0x1FFF
        if pid == _NULL or not packet[3] & 0x10:
            continue
        payload = packet[5 + packet[4] :] if packet[3] & 0x20 else packet[4:]
        if starts:
            pointer = payload[0] if payload else 0
            begun = payload[1 + pointer :]
            if payload[:3] == b"\0\0\1" or begun[:1] not in (b"\0", b"\2"):  # pictures and sound, or another table
                open_sections.pop(pid, None)
                continue
            open_sections[pid] = bytearray(begun)
        elif pid in open_sections:
            open_sections[pid] += payload
        section = open_sections.get(pid, bytearray())
        wanted = 3 + (int.from_bytes(section[1:3], "big") & 0x0FFF)
        if wanted > _MAX_SECTION:
            open_sections.pop(pid, None)
        elif len(section) >= max(wanted, 8):
            yield pid, bytes(section[:wanted])
            del open_sections[pid]


def _programme_tables(section: bytes) -> dict[int, int]:
    """Return the number of each programme by the packet identifier of its table; number 0 is the network's and no
    programme.
    """
    entries = [section[at : at + 4] for at in range(8, len(section) - 7, 4)]
    numbers = {int.from_bytes(e[2:], "big") & 0x1FFF: int.from_bytes(e[:2], "big") for e in entries}
    return {pid: number for pid, number in numbers.items() if number}


def _streams(section: bytes) -> frozenset[int]:
    """Return the streams that a programme's table lists."""
    at = 12 + (int.from_bytes(section[10:12], "big") & 0x0FFF)
    found = set()
    while at + 5 <= len(section) - 4:
        found.add(int.from_bytes(section[at + 1 : at + 3], "big") & 0x1FFF)
        at += 5 + (int.from_bytes(section[at + 3 : at + 5], "big") & 0x0FFF)
    return frozenset(found)
