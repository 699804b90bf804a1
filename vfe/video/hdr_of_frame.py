"""What a decoded frame says of HDR10: side data of FFmpeg, whose structures are unpacked here."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import cast

from av.buffer import Buffer
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame

from .hdr import NO_HDR, Display, Hdr, Light
from .orient import WITH_PROFILE_NAMES

_CHROMATICITY, _LUMINANCE = 50_000, 10_000
_DISPLAY = struct.Struct("=22i")  # AVMasteringDisplayMetadata: fractions of R, G, B, white, min, max, and two flags
_LIGHT = struct.Struct("=2I")  # AVContentLightMetadata
# Changing from frame to frame, and made for pixels that are no longer there.
_DYNAMIC = {"DYNAMIC_HDR_PLUS": "HDR10+", "DOVI_RPU_BUFFER": "Dolby Vision", "DOVI_METADATA": "Dolby Vision"}


def read_hdr(frame: VideoFrame, codec: str) -> Hdr:
    """Return what the first frame of a stream says of its light; FFmpeg also puts onto it what the container says."""
    if codec in WITH_PROFILE_NAMES:
        return NO_HDR
    try:
        found = cast("Mapping[SideDataType, Buffer]", frame.side_data)
        data = {name: bytes(found[kind]) for kind in SideDataType if (name := kind.name) in _KNOWN and kind in found}
    except ValueError:  # PyAV stumbles over kinds of side data newer than itself
        return NO_HDR
    dynamic = tuple(dict.fromkeys(_DYNAMIC[name] for name in data if name in _DYNAMIC))
    return Hdr(_display(data.get("MASTERING_DISPLAY_METADATA")), _light(data.get("CONTENT_LIGHT_LEVEL")), dynamic)


_KNOWN = _DYNAMIC.keys() | {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"}


def _display(data: bytes | None) -> Display | None:
    if data is None or len(data) < _DISPLAY.size:
        return None
    numbers = _DISPLAY.unpack_from(data)
    if not all(numbers[1:20:2]) or not all(numbers[20:]):
        return None
    values = [Fraction(n, d) for n, d in zip(numbers[:20:2], numbers[1:20:2], strict=True)]
    steps = [_steps(value, _CHROMATICITY) for value in values[:8]]
    red, green, blue, white = zip(steps[::2], steps[1::2], strict=True)
    return Display(red, green, blue, white, _steps(values[8], _LUMINANCE), _steps(values[9], _LUMINANCE))


def _steps(value: Fraction, unit: int) -> int:
    return max(0, round(value * unit))


def _light(data: bytes | None) -> Light | None:
    return None if data is None or len(data) < _LIGHT.size else Light(*_LIGHT.unpack_from(data))
