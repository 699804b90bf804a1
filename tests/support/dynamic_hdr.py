"""H.265 whose pictures carry metadata of their own, as HDR10+ and Dolby Vision put it into the stream."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import av

from tests.support.media import Media, picture

_START_CODE = b"\0\0\0\1"
_SEI, _DOLBY = 39, 62  # kinds of units: what goes before the slices of a picture, and what no standard defines
_BITS = tuple[tuple[int, int], ...]  # (value, width)
# ST 2094-40, application version 1, one window: luminance of the target, no peaks of it, three maxima and the mean of
# the scene, no percentiles, few bright pixels, no peaks of the mastering display, no tone mapping, no saturation.
_HDR10_PLUS: _BITS = (
    *((0xB5, 8), (0x003C, 16), (1, 16), (4, 8), (1, 8), (1, 2), (400, 27), (0, 1)),
    *((5000, 17), (4000, 17), (3000, 17), (1000, 17), (0, 4), (10, 10), (0, 1), (0, 1), (0, 1)),
)


def hdr10_plus(data: bytes) -> bytes:
    """A picture's units behind an SEI message of user data (ITU-T T.35)."""
    payload = _packed(_HDR10_PLUS)
    return _unit(_SEI, bytes([4, len(payload)]) + payload + b"\x80") + data


def dolby_vision(data: bytes) -> bytes:
    """A picture's units before an RPU. FFmpeg hands one of a type that it does not know out as it is."""
    return data + _unit(_DOLBY, bytes([25, 3 << 2, 0, 0, 0x11, 0x80]))


def dynamic_clip(path: Path, media: Media, change: Callable[[bytes], bytes]) -> Path:
    """A clip by libx265 whose pictures' units are changed on their way into the file."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=media.rate, options=dict(media.options))
        assert isinstance(stream, av.VideoStream)
        (stream.width, stream.height), stream.pix_fmt = media.size, media.pix_fmt
        stream.codec_context.color_primaries, stream.codec_context.color_trc = (
            media.color_primaries,
            media.color_transfer,
        )
        frames = [picture(index, media.size, media.pix_fmt) for index in range(media.frames)]
        for packet in [p for frame in [*frames, None] for p in stream.encode(frame)]:
            changed = av.Packet(change(bytes(packet)))
            changed.pts, changed.dts, changed.duration = packet.pts, packet.dts, packet.duration
            changed.time_base, changed.stream, changed.is_keyframe = packet.time_base, stream, packet.is_keyframe
            container.mux(changed)
    return path


def _packed(fields: _BITS) -> bytes:
    bits = "".join(f"{value:0{width}b}" for value, width in fields)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


def _unit(kind: int, content: bytes) -> bytes:
    """A unit, whose content must not look like a start code (ITU-T H.265, 7.4.2)."""
    return _START_CODE + bytes([kind << 1, 1]) + re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", content)
