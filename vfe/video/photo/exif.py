"""EXIF data: read, made true for a restored picture, and moved between its own block and TIFF files (CIPA DC-008).

A restored picture is upright and has a size of its own, and its thumbnail would show the degraded one.
"""

from __future__ import annotations

from ..orient import UPRIGHT, Orientation, orientation_of_exif
from .ifd import IFD, LONG, SHORT, Directory, IfdReader, IfdTree, block
from .pages import EXIF_POINTER, GPS_POINTER

WIDTH, HEIGHT, ORIENTATION = 0x0100, 0x0101, 0x0112
INTEROP_POINTER = 0xA005
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003
_CHANGED = (ORIENTATION, WIDTH, HEIGHT, _PIXEL_WIDTH, _PIXEL_HEIGHT)
_THUMBNAIL_OFFSET, _THUMBNAIL_SIZE = 0x0201, 0x0202
_WINDOWS_TEXTS = frozenset(range(0x9C9B, 0x9CA0))
# What the first directory of a TIFF file says of the photo and not of how its pixels are stored: description, maker,
# model, orientation, resolution and its unit, software, time, artist, computer, rating, copyright.
_OF_THE_PHOTO = _WINDOWS_TEXTS | {
    0x010E, 0x010F, 0x0110, ORIENTATION, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749, 0x8298,
}  # fmt: skip


def exif_orientation(exif: bytes | None) -> Orientation:
    """Return how a stored picture is turned to be shown, as its EXIF data says."""
    reader = IfdReader.of(exif or b"")
    directory = reader.directory(reader.first)
    found = directory.entries.get(ORIENTATION) if directory else None
    if found is None or found.kind not in (SHORT, LONG):
        return UPRIGHT
    return orientation_of_exif(found.numbers[0])


def upright_exif(exif: bytes, size: tuple[int, int]) -> bytes | None:
    """Return the EXIF block for an upright picture of `size` (width, height), without a thumbnail.

    It is None where `exif` is no EXIF block. The block is changed in place, for what cameras keep in it for themselves
    may point to offsets of the whole block.
    """
    reader = IfdReader.of(exif)
    first = reader.directory(reader.first)
    if first is None:
        return None
    changed = bytearray(exif)
    directories = [first, *_below(reader, first)]
    for directory in directories:
        for tag, value in zip(_CHANGED, (1, *size, *size), strict=True):
            found = directory.entries.get(tag)
            if found is not None and found.kind in (SHORT, LONG) and found.count == 1:
                width = len(found.value)
                changed[found.offset : found.offset + width] = min(value, 256**width - 1).to_bytes(width, reader.order)
    changed[first.next_offset : first.end] = bytes(
        first.end - first.next_offset
    )  # the directory after it describes the thumbnail
    used = [place for directory in directories for place in _spans(directory)]
    thumbnail = reader.directory(first.next)
    for start, end in _spans(thumbnail) if thumbnail else ():
        if all(end <= begin or stop <= start for begin, stop in used):
            changed[start:end] = bytes(max(0, min(end, len(changed)) - start))
    return bytes(changed).rstrip(b"\0").ljust(max(stop for _, stop in used), b"\0")


def exif_of_tiff(reader: IfdReader, directory: Directory) -> bytes | None:
    """Return what a directory of a TIFF file says of its photo, as an EXIF block; None where that is nothing."""
    entries = {tag: found for tag, found in directory.entries.items() if tag in _OF_THE_PHOTO}
    tree = IfdTree(entries, _children(reader, directory))
    return block(tree) if tree.entries or tree.children else None


def photo_tree(exif: bytes) -> IfdTree:
    """Return the entries of an EXIF block that go into the directory of a TIFF file, and what they point to."""
    reader = IfdReader.of(exif)
    directory = reader.directory(reader.first)
    if directory is None:
        return IfdTree({})
    entries = {tag: found for tag, found in directory.entries.items() if tag in _OF_THE_PHOTO}
    return IfdTree(entries, _children(reader, directory))


def _children(reader: IfdReader, directory: Directory) -> dict[int, IfdTree]:
    """Return the directories that a directory points to: EXIF, with its interoperability one below it, and GPS."""
    exif, gps = (_pointed(reader, directory, pointer) for pointer in (EXIF_POINTER, GPS_POINTER))
    interop = _pointed(reader, exif, INTEROP_POINTER) if exif else None
    inner = {INTEROP_POINTER: _leaf(interop)} if interop else {}
    children = {EXIF_POINTER: IfdTree(_leaf(exif).entries, inner)} if exif else {}
    return children | ({GPS_POINTER: _leaf(gps)} if gps else {})


def _leaf(directory: Directory) -> IfdTree:
    """Return a directory without the pointer to the interoperability directory."""
    return IfdTree({tag: found for tag, found in directory.entries.items() if tag != INTEROP_POINTER})


def _below(reader: IfdReader, first: Directory) -> list[Directory]:
    """Return the directories of EXIF, of GPS and of interoperability, as far as they are there."""
    exif, gps = (_pointed(reader, first, pointer) for pointer in (EXIF_POINTER, GPS_POINTER))
    interop = _pointed(reader, exif, INTEROP_POINTER) if exif else None
    return [directory for directory in (exif, gps, interop) if directory is not None]


def _pointed(reader: IfdReader, directory: Directory, pointer: int) -> Directory | None:
    """Return the directory that a tag points to, or None."""
    found = directory.entries.get(pointer)
    return reader.directory(found.numbers[0]) if found is not None and found.kind in (LONG, IFD) else None


def _spans(directory: Directory) -> list[tuple[int, int]]:
    """Return (start, end) of the table of a directory, of its values, and of the thumbnail that it names."""
    spans = [(directory.offset, directory.end)]
    spans += [(found.offset, found.offset + len(found.value)) for found in directory.entries.values()]
    start, size = (directory.entries.get(tag) for tag in (_THUMBNAIL_OFFSET, _THUMBNAIL_SIZE))
    if start is not None and size is not None:
        spans.append((start.numbers[0], start.numbers[0] + size.numbers[0]))
    return spans
