"""WebP files: RIFF chunks of name, length and data (RFC 9649, 2.3 and 2.7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..boxes import Read
from .tags import PhotoTags, profile_of

_PREFIX = b"Exif\0\0"  # some writers keep it from JPEG
_TAGS = (b"ICCP", b"EXIF", b"XMP ")
_PICTURES = (b"VP8 ", b"VP8L", b"ALPH")
_TOO_SHORT, _SHOWN_INSTEAD = 10, 100  # milliseconds: what browsers make of frames that are hardly shown
_ICC, _ALPHA, _EXIF, _ANIMATED = 0x20, 0x10, 0x08, 0x02  # flags of VP8X


class Chunk(NamedTuple):
    """A chunk without its length."""

    name: bytes
    data: bytes


def is_webp(data: bytes) -> bool:
    """Return whether bytes are the start of a WebP file."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def chunks_of(data: bytes, at: int = 12) -> Iterator[Chunk]:
    """Yield the chunks of a file, or from the offset `at` those inside of a chunk, as far as they are whole."""
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > len(data):
            return
        yield Chunk(data[at : at + 4], data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2


def shows_through(read: Read, size: int) -> bool:
    """Return whether something of the canvas may be seen in a file of `size` bytes; most claim alpha and use none.

    Nothing is seen once a first picture has covered it, as long as nothing is emptied or replaced.
    """
    frames = list(animation_frames(read, size))
    covered = bool(frames) and frames[0].size == read_header(read).size and not frames[0].has_alpha(read)
    return not covered or any(frame.goes or (not frame.blends and frame.has_alpha(read)) for frame in frames)


def still_has_alpha(data: bytes) -> bool:
    """Return whether the picture of a still file may be transparent somewhere.

    FFmpeg gives an alpha to all lossless ones.
    """
    return any(map(_has_alpha, chunks_of(data)))


def is_whole(read: Read, size: int) -> bool:
    """Return whether a file of `size` bytes is as long as its header says."""
    return 8 + int.from_bytes(read(4, 4), "little") <= size


def chunk_spans(read: Read, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, start, end) of the chunks of a file of `size` bytes, as far as they are whole."""
    at = 12
    while len(head := read(at, 8)) == 8:
        end = at + 8 + int.from_bytes(head[4:8], "little")
        if end > size:
            return
        yield head[:4], at + 8, end
        at = end + end % 2


def read_tags(data: bytes) -> PhotoTags:
    """Return the tags of a WebP file."""
    return _tags(chunks_of(data))


def read_file_tags(read: Read, size: int) -> PhotoTags:
    """Return the tags of a WebP file of `size` bytes, without reading its pictures."""
    return _tags(Chunk(name, read(start, end - start)) for name, start, end in chunk_spans(read, size) if name in _TAGS)


def _tags(chunks: Iterable[Chunk]) -> PhotoTags:
    icc = exif = None
    lost: tuple[str, ...] = ()
    for name, content in chunks:
        if name == b"ICCP" and icc is None:
            icc = profile_of(content)
        elif name == b"EXIF" and exif is None:
            exif = content.removeprefix(_PREFIX)
        elif name == b"XMP ":
            lost = ("XMP data",)
    return PhotoTags(icc, exif, lost)


class Header(NamedTuple):
    """The chunk VP8X, the header of extended files."""

    size: tuple[int, int]
    """The (width, height) of the canvas."""
    animated: bool
    alpha: bool


class AnimationFrame(NamedTuple):
    """The chunk ANMF: a picture of an animation, which is drawn onto a canvas."""

    left: int
    top: int
    size: tuple[int, int]
    """Its (width, height)."""
    milliseconds: int
    blends: bool
    """Whether it is laid over what is there, or replaces it."""
    goes: bool
    """Whether its part of the canvas is emptied after it was shown."""
    start: int
    end: int
    """The offsets at which its picture begins and ends."""

    def alone(self, read: Read) -> bytes:
        """Return its picture as the bytes of a file."""
        pictures = self._pictures(read)
        return wrapped([_header(pictures, self.size), *pictures])

    def has_alpha(self, read: Read) -> bool:
        """Return whether its picture may be transparent somewhere."""
        return any(map(_has_alpha, self._pictures(read)))

    def _pictures(self, read: Read) -> list[Chunk]:
        data = read(self.start, self.end - self.start)
        return [chunk for chunk in chunks_of(data, 0) if chunk.name in _PICTURES]


def read_header(read: Read) -> Header:
    """Return the header of an extended file; that of a simple file says nothing and has no size."""
    head = read(12, 18)
    if not is_webp(read(0, 12)) or head[:4] != b"VP8X" or len(head) < 18:
        return Header((0, 0), False, False)
    width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (12, 15))
    return Header((width, height), bool(head[8] & _ANIMATED), bool(head[8] & _ALPHA))


def animation_frames(read: Read, size: int) -> Iterator[AnimationFrame]:
    """Yield the frames of an animation in a file of `size` bytes, as far as they are whole and within the canvas."""
    header = read_header(read)
    for name, start, end in chunk_spans(read, size) if header.animated else ():
        head = read(start, 16) if name == b"ANMF" else b""
        if len(head) < 16:
            continue
        numbers = [int.from_bytes(head[3 * i : 3 * i + 3], "little") for i in range(5)]
        left, top, width, height = 2 * numbers[0], 2 * numbers[1], numbers[2] + 1, numbers[3] + 1
        shown = numbers[4] if numbers[4] > _TOO_SHORT else _SHOWN_INSTEAD
        if left + width <= header.size[0] and top + height <= header.size[1]:
            blends, goes = not head[15] & 2, bool(head[15] & 1)
            yield AnimationFrame(left, top, (width, height), shown, blends, goes, start + 16, end)


def with_tags(data: bytes, tags: PhotoTags, size: tuple[int, int]) -> bytes:
    """Return a WebP file of one picture of `size` (width, height) with these tags."""
    pictures = [chunk for chunk in chunks_of(data) if chunk.name in _PICTURES]
    header = _header(pictures, size, (_ICC if tags.icc else 0) | (_EXIF if tags.exif else 0))
    before = [Chunk(b"ICCP", tags.icc)] if tags.icc else []
    after = [Chunk(b"EXIF", tags.exif)] if tags.exif else []
    return wrapped([header, *before, *pictures, *after])


def wrapped(chunks: list[Chunk]) -> bytes:
    """Return a WebP file that consists of these chunks."""
    body = b"WEBP" + b"".join(
        name + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2) for name, content in chunks
    )
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _header(pictures: list[Chunk], size: tuple[int, int], flags: int = 0) -> Chunk:
    """Return the chunk VP8X for these pictures and a canvas of `size` (width, height)."""
    flags |= _ALPHA if any(map(_has_alpha, pictures)) else 0
    return Chunk(b"VP8X", bytes([flags, 0, 0, 0]) + b"".join((side - 1).to_bytes(3, "little") for side in size))


def _has_alpha(chunk: Chunk) -> bool:
    """Return whether a chunk is ALPH, or a lossless picture whose header claims alpha.

    The bit stands behind signature, width and height (RFC 9649, 3.4).
    """
    return chunk.name == b"ALPH" or (
        chunk.name == b"VP8L" and bool(int.from_bytes(chunk.data[1:5], "little") >> 28 & 1)
    )
