"""One photo file: its first picture decoded, and what stands beside it."""

from __future__ import annotations

import io
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import VideoFrame

from ...types import VFEError
from ..boxes import from_bytes
from ..crop import NO_CROP, Crop
from ..decode import Damage, decode_frames
from ..errors import about, reading
from ..orient import Orientation
from . import webp
from .carry import tags_of
from .count import has_still, is_heif
from .exif import exif_orientation
from .heif import read_heif
from .tags import PhotoTags


@dataclass(frozen=True)
class Photo:
    """The picture as it is stored, and how it is to be shown."""

    frame: VideoFrame
    alpha: VideoFrame | None
    """A picture whose luma is the alpha, where the file holds it apart."""
    codec: str
    container: str
    crop: Crop
    orientation: Orientation
    aspect: Fraction
    tags: PhotoTags


def read_photo(path: Path) -> Photo:
    """Read an image file. Raises VFEError if it cannot be decoded."""
    with reading(path), about(path):
        return photo_of(path.read_bytes())


def photo_of(data: bytes) -> Photo:
    """Decode the bytes of an image file; what they are and not a name decides the format.

    Raises VFEError where there is no picture that can be decoded, and what FFmpeg raises.
    """
    read = from_bytes(data)
    if is_heif(data) and has_still(read, len(data)):
        heif = read_heif(read, len(data))
        return Photo(**vars(heif), container="heif")
    first = next(webp.animation_frames(read, len(data)), None)
    if first is not None and first.size != webp.read_header(read).size:
        raise VFEError("is an animation whose first picture is not a whole one; restore it apart")
    return _decoded(data if first is None else first.alone(read), tags_of(data))


def _decoded(data: bytes, tags: PhotoTags) -> Photo:
    damage = Damage()
    with av.open(io.BytesIO(data), "r", metadata_errors="replace") as container:
        if not container.streams.video or container.streams.video[0].codec_context is None:
            raise VFEError("holds no picture that this FFmpeg can decode; needed is a whole image")
        stream = container.streams.video[0]
        with closing(decode_frames(container, stream, damage)) as frames:
            frame = next(frames, None)
        if frame is None:
            raise VFEError(f"no frame can be decoded, {damage.cause}; needed is a whole image")
        codec = stream.codec_context.codec.canonical_name
        return Photo(
            frame=_without_fourth(frame) if codec == "mjpeg" else frame,
            alpha=None,
            codec=codec,
            container=container.format.name,
            crop=NO_CROP,
            orientation=exif_orientation(tags.exif),
            aspect=Fraction(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1),
            tags=tags,
        )


def _without_fourth(frame: VideoFrame) -> VideoFrame:
    """JPEGs of four inks come as RGB or YUV with an alpha that is none."""
    name = frame.format.name
    opaque = {"gbrap": "gbrp", "yuva444p": "yuv444p", "yuva422p": "yuv422p", "yuva420p": "yuv420p"}.get(name)
    return frame if opaque is None else frame.reformat(format=opaque)
