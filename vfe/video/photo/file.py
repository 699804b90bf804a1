"""A photo file: its first picture is decoded, with what stands beside it."""

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
from .tiff import has_plain_fourth
from .whole import is_whole


@dataclass(frozen=True)
class Photo:
    """The first picture of a file as it is stored, and how it is to be shown."""

    frame: VideoFrame
    alpha: VideoFrame | None
    """A picture whose luma is the alpha, where the file holds it apart; else None."""
    codec: str
    container: str
    crop: Crop
    orientation: Orientation
    aspect: Fraction
    tags: PhotoTags
    whole: bool
    """Whether nothing of the file is missing or damaged, as far as that shows."""


def read_photo(path: Path) -> Photo:
    """Read an image file. Raises VFEError if it cannot be decoded."""
    with reading(path), about(path):
        return photo_of(path.read_bytes())


def photo_of(data: bytes) -> Photo:
    """Decode the bytes of an image file; what they are, and not a name, decides the format.

    Raises VFEError where there is no picture that can be decoded, and what FFmpeg raises.
    """
    read = from_bytes(data)
    if is_heif(data) and has_still(read, len(data)):
        heif = read_heif(read, len(data))
        return Photo(**vars(heif), container="heif")
    first = next(webp.animation_frames(read, len(data)), None)
    if first is not None and first.size != webp.read_header(read).size:
        raise VFEError("is an animation whose first picture is not a whole one; restore it apart")
    return _decoded(data if first is None else first.alone(read), tags_of(data), is_whole(read, len(data)))


def _decoded(data: bytes, tags: PhotoTags, whole: bool) -> Photo:
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
            frame=_opaque(frame) if _has_no_alpha(codec, data) else frame,
            alpha=None,
            codec=codec,
            container=container.format.name,
            crop=NO_CROP,
            orientation=exif_orientation(tags.exif),
            aspect=Fraction(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1),
            tags=tags,
            whole=whole and not damage.bad_packets and not damage.bad_frames,
        )


def _has_no_alpha(codec: str, data: bytes) -> bool:
    """Return whether FFmpeg gives the picture an alpha that is none.

    This may be the fourth ink of a JPEG, an alpha that a lossless WebP does not use, or a plain fourth value of a TIFF.
    """
    if codec == "webp":
        return not webp.still_has_alpha(data)
    return codec == "mjpeg" or (codec == "tiff" and has_plain_fourth(data))


def _opaque(frame: VideoFrame) -> VideoFrame:
    """Return a frame without its alpha; the other values stay as they are."""
    without = _WITHOUT_ALPHA.get(frame.format.name)
    return frame if without is None else frame.reformat(format=without)


_WITHOUT_ALPHA = {
    "argb": "rgb24",
    "rgba": "rgb24",
    "rgba64le": "rgb48le",
    "rgba64be": "rgb48be",
    "gbrap": "gbrp",
    "yuva444p": "yuv444p",
    "yuva422p": "yuv422p",
    "yuva420p": "yuv420p",
}
