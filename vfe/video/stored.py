"""A decoded frame beside the pixels that were made of it, so that what nobody changed is written as it was.

Subsampled chroma is interpolated for the pixels and averaged again for the file, which is not the identity. H W frame.
"""

from __future__ import annotations

from typing import NamedTuple

from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from torch import Tensor


class Stored(NamedTuple):
    """A frame as the file has it, with its matrix and range as code points."""

    frame: VideoFrame
    pixels: Tensor
    """The pixels (3, H, W) that were made of it; they are never changed."""
    matrix: int
    color_range: int

    def planes_fit(self, pixels: Tensor, pix_fmt: str, matrix: int, color_range: int) -> bool:
        """Return whether its planes are of this format, matrix and range, and the pixels of its size."""
        name = self.frame.format.name.replace("yuvj", "yuv")
        alike = (name, self.matrix, self.color_range) == (pix_fmt, matrix, color_range)
        return alike and VideoFormat(name).is_planar and self.pixels.shape == pixels.shape
