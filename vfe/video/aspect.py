"""The shape of pixels in an output."""

from __future__ import annotations

from fractions import Fraction

from .info import VideoInfo


def shown_aspect(info: VideoInfo, size: tuple[int, int]) -> Fraction:
    """Return the pixel aspect that shows frames of `size` (width, height) in the shape of the source."""
    width, height = size
    scale_x, scale_y = Fraction(width, info.width), Fraction(height, info.height)
    same_shape = abs(info.width * scale_y - width) <= 1 or abs(info.height * scale_x - height) <= 1
    aspect = info.sample_aspect_ratio * (1 if same_shape else scale_y / scale_x)
    return aspect.limit_denominator(1000)
