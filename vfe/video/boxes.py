"""Boxes of ISO base media files: MP4, MOV, HEIC and AVIF alike (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

Read = Callable[[int, int], bytes]
"""A function that gives bytes of a file by offset and number; it gives fewer where the file ends."""

_MAX_BOXES = 100_000  # of one level; a hostile file may have as many as it has bytes


class Box(NamedTuple):
    """A box: its name, and the offsets at which its content begins and ends."""

    name: bytes
    start: int
    end: int


@contextmanager
def opened(path: Path) -> Iterator[tuple[Read, int]]:
    """Yield a function that reads the file by offset, and the size of the file in bytes. Raises OSError as opening
    does.
    """
    with path.open("rb") as file:

        def read(at: int, size: int) -> bytes:
            file.seek(at)
            return file.read(size)

        yield read, path.stat().st_size


def from_bytes(data: bytes) -> Read:
    """Return a function that reads `data` by offset."""
    return lambda at, size: data[at : at + size]


def boxes(read: Read, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two offsets, as far as they are whole; the last one may go to the end."""
    for _ in range(_MAX_BOXES):
        head = read(start, 16)
        if start + 8 > end or len(head) < 8:
            return
        size, name, content = int.from_bytes(head[:4], "big"), head[4:8], start + 8
        if size == 1:
            size, content = int.from_bytes(head[8:16], "big"), start + 16
        stop = end if size == 0 else start + size
        if stop < content or stop > end:
            return
        yield Box(name, content, stop)
        start = stop


def find(read: Read, start: int, end: int, *path: bytes) -> Iterator[Box]:
    """Yield all boxes whose name is the last of `path`, inside of boxes with the names before it."""
    for box in boxes(read, start, end):
        if box.name == path[0]:
            if len(path) == 1:
                yield box
            else:
                yield from find(read, box.start, box.end, *path[1:])
