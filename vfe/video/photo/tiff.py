"""Profile and EXIF data among the tags of a TIFF file (TIFF 6.0; the profile is that of TIFF/EP)."""

from __future__ import annotations

from .exif import exif_of_tiff, photo_tree
from .ifd import HEADER_SIZE, Directory, Entry, IfdReader, IfdTree
from .tags import PhotoTags, profile_of

_UNDEFINED = 7
_PROFILE, _XMP, _IPTC = 34675, 700, 33723
_EXTRA_SAMPLES = 338


def read_tags(data: bytes) -> PhotoTags:
    """Return the tags of the first page of a TIFF file."""
    reader = IfdReader.of(data)
    directory = reader.directory(reader.first)
    return PhotoTags() if directory is None else page_tags(reader, directory)


def page_tags(reader: IfdReader, directory: Directory) -> PhotoTags:
    """Return the tags of a page."""
    profile = directory.entries.get(_PROFILE)
    lost = [name for tag, name in ((_XMP, "XMP data"), (_IPTC, "IPTC data")) if tag in directory.entries]
    return PhotoTags(profile_of(profile.value) if profile else None, exif_of_tiff(reader, directory), tuple(lost))


def has_plain_fourth(data: bytes) -> bool:
    """Return whether the first page says that its fourth value is no alpha, which FFmpeg takes it for."""
    reader = IfdReader.of(data)
    directory = reader.directory(reader.first)
    extra = directory.entries.get(_EXTRA_SAMPLES) if directory else None
    return extra is not None and extra.numbers[0] == 0


def with_tags(data: bytes, tags: PhotoTags) -> bytes:
    """Return a little-endian TIFF file of one page with these tags; its directory moves to the end."""
    reader = IfdReader.of(data)
    directory = reader.directory(reader.first)
    assert directory is not None and reader.order == "little"  # as our own encoder writes it
    photo = photo_tree(tags.exif) if tags.exif is not None else IfdTree({})
    entries = {**directory.entries, **photo.entries}
    if tags.icc is not None:
        entries[_PROFILE] = Entry(_PROFILE, _UNDEFINED, tags.icc)
    offset = len(data) + len(data) % 2
    moved = data[:4] + offset.to_bytes(4, "little") + data[HEADER_SIZE:] + b"\0" * (len(data) % 2)
    return moved + IfdTree(entries, photo.children).packed(offset)
