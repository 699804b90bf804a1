"""HEIF files built box by box, as phones write them: a grid of tiles, or one picture, with properties."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.video.frame import VideoFrame

from vfe.video.boxes import find, from_bytes


@dataclass(frozen=True)
class Heif:
    """What a file holds. `columns` tiles a row make a picture of `size` (width, height)."""

    tiles: Sequence[VideoFrame]
    columns: int = 1
    size: tuple[int, int] = (0, 0)
    encoder: str = "libx264"
    kind: bytes = b"grid"
    """Kind of the primary item; that of its tile for a picture alone."""
    properties: tuple[bytes, ...] = ()
    """Boxes of the primary item, beside the size."""
    exif: bytes | None = None
    missing_tiles: int = 0
    alone: bool = field(default=False)


_FINEST = {
    "libx264": {"qp": "0"},
    "libx265": {"crf": "3", "x265-params": "log-level=none"},
    "libsvtav1": {"crf": "5", "preset": "8"},
}
_ENTRY = {"libx264": (b"avc1", b"avcC"), "libx265": (b"hvc1", b"hvcC"), "libsvtav1": (b"av01", b"av1C")}


def box(name: bytes, *content: bytes) -> bytes:
    """A box."""
    body = b"".join(content)
    return (8 + len(body)).to_bytes(4, "big") + name + body


def full_box(name: bytes, version: int, flags: int, *content: bytes) -> bytes:
    """A box with version and flags."""
    return box(name, bytes([version]), flags.to_bytes(3, "big"), *content)


def u16(*numbers: int) -> bytes:
    """Numbers of two bytes."""
    return b"".join(number.to_bytes(2, "big") for number in numbers)


def u32(*numbers: int) -> bytes:
    """Numbers of four bytes."""
    return b"".join(number.to_bytes(4, "big") for number in numbers)


def build(heif: Heif) -> bytes:
    """The bytes of the file."""
    coded = [_coded(tile, heif.encoder) for tile in heif.tiles]
    kind, configuration_name = _ENTRY[heif.encoder]
    payloads = [data for data, _ in coded]
    if heif.exif is not None:
        payloads.append(u32(6) + b"Exif\0\0" + heif.exif)
    tile_ids = list(range(1, len(coded) + 1))
    primary = 1 if heif.alone else 100
    kinds = {item: kind for item in tile_ids}
    if not heif.alone:
        kinds[primary] = heif.kind
        rows = -(-len(coded) // heif.columns)
        payloads.append(bytes([0, 0, rows - 1, heif.columns - 1]) + u16(*heif.size))
    ids = [*tile_ids, *([200] if heif.exif is not None else []), *([] if heif.alone else [primary])]
    if heif.exif is not None:
        kinds[200] = b"Exif"
    properties = [box(configuration_name, coded[0][1]), full_box(b"ispe", 0, 0, u32(*heif.size)), *heif.properties]
    of_primary = [1] * heif.alone + list(range(2, len(properties) + 1))
    associations = {**({} if heif.alone else {item: [1] for item in tile_ids}), primary: of_primary}
    references = []
    if not heif.alone:
        kept = tile_ids[: len(tile_ids) - heif.missing_tiles]
        references.append(box(b"dimg", u16(primary, len(kept), *kept)))
    if heif.exif is not None:
        references.append(box(b"cdsc", u16(200, 1, primary)))
    head = box(b"ftyp", b"heic", u32(0), b"mif1heic")
    meta = _meta(primary, kinds, properties, associations, references, _places(ids, payloads, 0))
    start = len(head) + len(meta) + 8
    meta = _meta(primary, kinds, properties, associations, references, _places(ids, payloads, start))
    return head + meta + box(b"mdat", *payloads)


def _coded(frame: VideoFrame, encoder: str) -> tuple[bytes, bytes]:
    """A frame as one sample, and the decoder's configuration, out of an MP4 of one frame."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream(encoder, rate=25, options=_FINEST[encoder])
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, frame.format.name
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            packet.dts = packet.pts  # x265 leaves that of a single frame to chance
            container.mux(packet)
    data = file.getvalue()
    read = from_bytes(data)
    (samples,) = find(read, 0, len(data), b"mdat")
    (table,) = find(read, 0, len(data), b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    entry = data.index(_ENTRY[encoder][1], table.start)
    size = int.from_bytes(data[entry - 4 : entry], "big")
    return data[samples.start : samples.end], data[entry + 4 : entry - 4 + size]


def _places(ids: list[int], payloads: list[bytes], start: int) -> bytes:
    entries = b""
    for item, payload in zip(ids, payloads, strict=True):
        entries += u16(item, 0, 1) + u32(start, len(payload))
        start += len(payload)
    return full_box(b"iloc", 0, 0, b"\x44\0", u16(len(ids)), entries)


def _meta(
    primary: int,
    kinds: dict[int, bytes],
    properties: list[bytes],
    associations: dict[int, list[int]],
    references: list[bytes],
    places: bytes,
) -> bytes:
    infos = [full_box(b"infe", 2, 0, u16(item, 0), kind, b"\0") for item, kind in kinds.items()]
    applied = [u16(item) + bytes([len(which), *which]) for item, which in associations.items()]
    return full_box(
        b"meta", 0, 0,
        full_box(b"hdlr", 0, 0, u32(0), b"pict", u32(0, 0, 0), b"\0"),
        full_box(b"pitm", 0, 0, u16(primary)),
        places,
        full_box(b"iinf", 0, 0, u16(len(infos)), *infos),
        full_box(b"iref", 0, 0, *references) if references else b"",
        box(b"iprp", box(b"ipco", *properties), full_box(b"ipma", 0, 0, u32(len(applied)), *applied)),
    )  # fmt: skip
