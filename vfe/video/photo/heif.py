"""HEIC and AVIF photos: one picture, or the tiles of a grid put together (ISO/IEC 23008-12, 6.6.2.3).

FFmpeg hands out tiles one by one, and its libraries before version 7 not even that.
"""

# H W picture, h w tile

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

from av.codec.codec import Codec, UnknownCodecError
from av.video.frame import VideoFrame

from ...types import VFEError
from ..boxes import Read
from ..colour import FULL, LIMITED
from ..crop import NO_CROP, Crop, clean_aperture
from ..decode import decode_picture
from ..hdr import ColourCoding, Display, Hdr, Light
from ..orient import UPRIGHT, Orientation
from ..pyav_compat import colour_tags
from .canvas import join
from .items import Items, read_items
from .tags import PhotoTags, profile_of

MAX_TILES = 4096
_DISPLAY = struct.Struct(">8H2I")  # chromaticities of green, blue, red and white, the brightest and darkest luminance
_LIGHT = struct.Struct(">2H")
_ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0"
# Kind of an item -> decoders, the first that this FFmpeg has, and the property with what the decoder needs beforehand.
_CODECS: dict[bytes, tuple[tuple[str, ...], bytes | None]] = {
    b"hvc1": (("hevc",), b"hvcC"),
    b"hev1": (("hevc",), b"hvcC"),
    b"av01": (("libdav1d", "libaom-av1"), b"av1C"),
    b"avc1": (("h264",), b"avcC"),
    b"vvc1": (("vvc",), b"vvcC"),
    b"jpeg": (("mjpeg",), None),
}


@dataclass(frozen=True)
class HeifPhoto:
    """The primary picture of a file as it is stored."""

    frame: VideoFrame
    alpha: VideoFrame | None
    """A picture whose luma is the alpha; None where all is opaque."""
    codec: str
    crop: Crop
    orientation: Orientation
    aspect: Fraction
    tags: PhotoTags
    whole: bool
    """Whether the data of all items is in the file."""


def read_heif(read: Read, size: int) -> HeifPhoto:
    """Decode the primary picture of a file of `size` bytes.

    Raises VFEError for kinds of pictures that are not known, and what FFmpeg raises for damaged ones.
    """
    items = read_items(read, size)
    if items is None or items.primary not in items.kinds:
        raise VFEError("it names no picture; needed is a whole HEIC or AVIF file")
    picture = items.primary
    codec, frame = _decode(items, read, picture)
    alphas = [i for i in items.referring(b"auxl", picture) if items.first_property(i, b"auxC") is not None]
    alpha = next((i for i in alphas if (items.first_property(i, b"auxC") or b"")[4:].startswith(_ALPHA)), None)
    _tag_colours(frame, items, picture)
    return HeifPhoto(
        frame=frame,
        alpha=None if alpha is None else _decode(items, read, alpha)[1],
        codec=codec,
        crop=_crop(items, picture, (frame.width, frame.height)),
        orientation=_orientation(items, picture),
        aspect=_aspect(items, picture),
        tags=_tags(items, read, picture)._replace(coding=_coding(frame, items, picture)),
        whole=items.reach() <= size,
    )


def _decode(items: Items, read: Read, item: int) -> tuple[str, VideoFrame]:
    kind = items.kinds[item]
    if kind in _CODECS:
        return _decode_one(items, read, item)
    if kind != b"grid":
        name = kind.decode("latin-1")
        raise VFEError(
            f"its picture is put together in a way ({name!r}) that is not supported; convert it to PNG first"
        )
    rows, columns, width, height = _grid(items.data(read, item))
    tiles = items.referred(b"dimg", item)
    if len(tiles) != rows * columns or len(tiles) > MAX_TILES or any(items.kinds.get(t) not in _CODECS for t in tiles):
        raise VFEError(
            f"its picture is a grid of {rows}x{columns} tiles, of which it holds {len(tiles)}; needed are all"
        )
    codec = Codec(_decoder_name(items.kinds[tiles[0]]), "r").canonical_name
    return codec, join((_decode_one(items, read, tile)[1] for tile in tiles), columns, (width, height))


def _grid(data: bytes) -> tuple[int, int, int, int]:
    """Return (rows, columns, width, height) of a grid. Raises VFEError where it is damaged."""
    side = 4 if data[1:2] == b"\1" else 2
    width, height = (int.from_bytes(data[at : at + side], "big") for at in (4, 4 + side))
    if len(data) < 4 + 2 * side or not width or not height:
        raise VFEError("the grid of its picture is damaged; needed is a whole file")
    return data[2] + 1, data[3] + 1, width, height


def _decode_one(items: Items, read: Read, item: int) -> tuple[str, VideoFrame]:
    kind = items.kinds[item]
    name, needed = _decoder_name(kind), _CODECS[kind][1]
    configuration = None if needed is None else items.first_property(item, needed)
    frame = decode_picture(name, configuration, items.data(read, item))
    if frame is None:
        raise VFEError("its picture cannot be decoded; needed is a whole file")
    return Codec(name, "r").canonical_name, frame


def _decoder_name(kind: bytes) -> str:
    for name in _CODECS[kind][0]:
        try:
            Codec(name, "r")
        except UnknownCodecError:
            continue
        return name
    raise VFEError(f"its codec ({kind.decode('latin-1')}) is not supported by this FFmpeg; convert it to PNG first")


def _tag_colours(frame: VideoFrame, items: Items, item: int) -> None:
    """Set matrix and range that the file states, which hold above those of the codec."""
    stated = _stated_coding(items, item)
    if stated is not None:
        frame.colorspace = int.from_bytes(stated[4:6], "big")
        frame.color_range = FULL if stated[6] & 0x80 else LIMITED


def _coding(frame: VideoFrame, items: Items, item: int) -> ColourCoding:
    """Return primaries, transfer and light that the file states, or else those of the codec.

    The boxes are those of ISO/IEC 14496-12, 12.1.5 to 12.1.9.
    """
    stated = _stated_coding(items, item)
    primaries, transfer = colour_tags(frame, None) if stated is None else struct.unpack(">2H", stated[:4])
    display, light = items.first_property(item, b"mdcv") or b"", items.first_property(item, b"clli") or b""
    return ColourCoding(
        primaries,
        transfer,
        Hdr(
            _display(*_DISPLAY.unpack(display)) if len(display) == _DISPLAY.size else None,
            Light(*_LIGHT.unpack(light)) if len(light) == _LIGHT.size else None,
        ),
    )


def _display(*numbers: int) -> Display:
    green, blue, red, white = zip(numbers[:8:2], numbers[1:8:2], strict=True)
    return Display(red, green, blue, white, darkest=numbers[9], brightest=numbers[8])


def _stated_coding(items: Items, item: int) -> bytes | None:
    """Return the seven bytes of a `colr` box of code points, or None.

    They are primaries, transfer and matrix, of two bytes each, and the range in the first bit of the last byte.
    """
    for name, data in items.properties.get(item, ()):
        if name == b"colr" and data[:4] == b"nclx" and len(data) >= 11:
            return data[4:11]
    return None


def _crop(items: Items, item: int, size: tuple[int, int]) -> Crop:
    aperture = items.first_property(item, b"clap")
    return NO_CROP if aperture is None else clean_aperture(aperture, size)


def _orientation(items: Items, item: int) -> Orientation:
    """Return the turns and mirrorings of an item, one after the other.

    Turns are counterclockwise; of mirrorings, 0 exchanges top and bottom and 1 left and right.
    """
    shown = UPRIGHT
    for name, data in items.properties.get(item, ()):
        if name == b"irot" and data:
            shown = shown.turned(-(data[0] & 3))
        elif name == b"imir" and data:
            shown = shown.mirrored().turned(0 if data[0] & 1 else 2)
    return shown


def _aspect(items: Items, item: int) -> Fraction:
    data = items.first_property(item, b"pasp") or b""
    wide, high = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
    return Fraction(wide, high) if wide and high else Fraction(1)


def _tags(items: Items, read: Read, item: int) -> PhotoTags:
    icc = None
    for name, data in items.properties.get(item, ()):
        if name == b"colr" and data[:4] in (b"prof", b"rICC"):
            icc = icc or profile_of(data[4:])
    described = items.referring(b"cdsc", item)
    exif = next((_exif(items.data(read, i)) for i in described if items.kinds.get(i) == b"Exif"), None)
    lost = ("XMP data",) if any(items.kinds.get(i) == b"mime" for i in described) else ()
    return PhotoTags(icc, exif, lost)


def _exif(data: bytes) -> bytes | None:
    """Return the EXIF block of an item, which begins with the number of bytes before the block."""
    skipped = 4 + int.from_bytes(data[:4], "big")
    return data[skipped:] or None
