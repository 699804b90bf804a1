"""The pages of a TIFF file. It needs nothing but Python."""

from __future__ import annotations

from collections.abc import Iterator

from .ifd import HEADER_SIZE, LONG, Directory, IfdReader, IfdTree, block, entry

EXIF_POINTER, GPS_POINTER = 0x8769, 0x8825
_SUBFILE = 254
_REDUCED_OR_MASK = 1 | 4  # bits of _SUBFILE
_PARTS = ((273, 279), (324, 325))  # offsets and sizes of strips, or of tiles
_MAX_PAGES = 100_000


def pages(reader: IfdReader) -> Iterator[Directory]:
    """Yield the directories that hold pages, and not those of smaller versions and masks of them."""
    for directory in _chain(reader):
        kind = directory.entries.get(_SUBFILE) if directory is not None else None
        if directory is not None and (kind is None or not kind.numbers[0] & _REDUCED_OR_MASK):
            yield directory


def all_there(reader: IfdReader) -> bool:
    """Return whether no directory of a TIFF file is missing at its end."""
    return all(directory is not None for directory in _chain(reader))


def _chain(reader: IfdReader) -> Iterator[Directory | None]:
    """Yield the directories one after the other, and at last None where the next one is said to be outside of
    the file.
    """
    offset, seen = reader.first, set[int]()
    while offset and offset not in seen and len(seen) < _MAX_PAGES:
        seen.add(offset)
        directory = reader.directory(offset)
        yield directory
        if directory is None:
            return
        offset = directory.next


def page_alone(reader: IfdReader, directory: Directory) -> bytes:
    """Return a page of a TIFF file as the bytes of a file of its own, without EXIF."""
    entries = {tag: found for tag, found in directory.entries.items() if tag not in (EXIF_POINTER, GPS_POINTER)}
    body = bytearray()
    for offsets, sizes in _PARTS:
        if offsets not in entries or sizes not in entries:
            continue
        moved = []
        for offset, size in zip(entries[offsets].numbers, entries[sizes].numbers, strict=False):
            if (
                len(body) + size > reader.size
            ):  # the parts overlap, as no writer makes them: they must not fill the memory
                break
            moved.append(HEADER_SIZE + len(body))
            body += reader.read(offset, size)
        entries[offsets] = entry(offsets, LONG, moved)
    return block(IfdTree(entries), reader.order, bytes(body))
