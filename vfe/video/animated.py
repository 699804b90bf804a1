"""The pictures of animated WebPs and of TIFFs of several pages, one after the other."""

# H W canvas, h w picture on it

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from av.video.frame import VideoFrame
from torch import Tensor

from ..types import VFEError
from .boxes import Read, opened
from .colour import guess_matrix, guess_range, layout_of
from .photo import webp
from .photo.exif import exif_orientation
from .photo.file import Photo, photo_of
from .photo.ifd import IfdReader
from .photo.pages import page_alone, pages
from .photo.tags import PhotoTags
from .photo.tiff import page_tags
from .pixels import FrameReader

_CLEAR = -1.0  # the canvas begins black, and with an alpha that hides it


class Picture(NamedTuple):
    """One picture of an animation as it is shown, upright."""

    pixels: Tensor
    """Pixels (3, H, W), float32 in [-1, 1]."""
    alpha: Tensor | None
    """Opacity (1, H, W), float32 in [0, 1]; None where the file has none."""
    duration: int
    """How long it is shown, in units of the animation's time base."""
    tags: PhotoTags
    """Colour profile and camera data of the file or page."""


def read_animation(path: Path) -> Iterator[Picture]:
    """Yield the pictures of a file that `describe_animation` describes.

    Raises VFEError for damaged files, and what FFmpeg raises.
    """
    with opened(path) as (read, size):
        yield from _read_webp(read, size) if webp.is_webp(read(0, 16)) else _read_pages(read, size)


def pixels_of(photo: Photo) -> tuple[Tensor, Tensor | None]:
    """Return the pixels (3, H, W) in [-1, 1] of an image as it is stored, and its alpha (1, H, W) in [0, 1] or None."""
    pixels, alpha = _pixels(photo.frame)
    return pixels, alpha if photo.alpha is None else (_pixels(photo.alpha)[0][:1] + 1) / 2


def _pixels(frame: VideoFrame) -> tuple[Tensor, Tensor | None]:
    """Return pixels and alpha of a frame. Each image says for itself what its numbers mean: a folder may mix PNG and
    JPEG.
    """
    layout = layout_of(frame.format.name)
    matrix = guess_matrix(layout, frame.colorspace, (frame.width, frame.height), still=True)
    return FrameReader(matrix, guess_range(layout, frame.color_range)).read(frame)


def _read_pages(read: Read, size: int) -> Iterator[Picture]:
    reader = IfdReader(read, size)
    for directory in pages(reader):
        pixels, alpha = pixels_of(photo_of(page_alone(reader, directory)))
        yield _shown(Picture(pixels, alpha, 1, page_tags(reader, directory)))


def _read_webp(read: Read, size: int) -> Iterator[Picture]:
    header = webp.read_header(read)
    tags = webp.read_file_tags(read, size)
    width, height = header.size
    canvas, opaque = torch.full((3, height, width), _CLEAR), torch.zeros(1, height, width)
    for frame in webp.animation_frames(read, size):
        pixels, alpha = pixels_of(photo_of(frame.alone(read)))
        if pixels.shape[1:] != frame.size[::-1]:
            raise VFEError(
                "a picture of the animation is not of the size that it is said to have; needed is a whole file"
            )
        region = (..., slice(frame.top, frame.top + frame.size[1]), slice(frame.left, frame.left + frame.size[0]))
        alpha = torch.ones_like(pixels[:1]) if alpha is None else alpha
        if frame.blends:
            pixels, alpha = _over(pixels, alpha, canvas[region], opaque[region])
        canvas[region], opaque[region] = pixels, alpha
        yield _shown(Picture(canvas.clone(), opaque.clone(), frame.milliseconds, tags))
        if frame.goes:
            canvas[region], opaque[region] = _CLEAR, 0.0


def _shown(stored: Picture) -> Picture:
    turn = exif_orientation(stored.tags.exif)
    alpha = None if stored.alpha is None else turn.upright(stored.alpha)
    return stored._replace(pixels=turn.upright(stored.pixels), alpha=alpha)


def _over(upper: Tensor, alpha: Tensor, lower: Tensor, alpha_below: Tensor) -> tuple[Tensor, Tensor]:
    """Return a picture laid over another one, both with alpha, and the alpha of the result (RFC 9649, 2.7.1.1)."""
    joint = alpha + alpha_below * (1 - alpha)
    share = torch.where(joint > 0, alpha / joint.clamp(min=1e-6), torch.ones_like(joint))
    return torch.lerp(lower, upper, share.expand_as(upper)), joint
