"""A decoded frame beside the pixels that were made of it, so that what nobody changed is written as it was.

Subsampled chroma is interpolated for the pixels and averaged again for the file, which is not the identity. H W frame.
"""

from __future__ import annotations

from typing import NamedTuple

from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from torch import Tensor

from .planes import plane_view

_MAX_BITS = 16  # of a code value that encoders take here


class Stored(NamedTuple):
    """A frame as the file has it, with its matrix and range as code points."""

    frame: VideoFrame
    pixels: Tensor
    """The pixels (3, H, W) that were made of it; they are never changed."""
    matrix: int
    color_range: int

    def kept(self) -> Stored | None:
        """Return it with a copy of the frame, for who keeps it while others are decoded; None where no planes can fit.

        A decoder takes new memory while its frames are held, and what is missing of a damaged one is what the memory
        held: frames that were kept here and not there would make the later ones differ.
        """
        layout = self.frame.format
        if not layout.is_planar or any(part.bits > _MAX_BITS for part in layout.components):
            return None
        copy = VideoFrame(self.frame.width, self.frame.height, layout.name)
        for index in range(len(copy.planes)):
            plane_view(copy, index)[...] = plane_view(self.frame, index)
        return self._replace(frame=copy)

    def planes_fit(self, pixels: Tensor, pix_fmt: str, matrix: int, color_range: int) -> bool:
        """Return whether its planes are of this format, matrix and range, and the pixels of its size."""
        name = self.frame.format.name.replace("yuvj", "yuv")
        alike = (name, self.matrix, self.color_range) == (pix_fmt, matrix, color_range)
        return alike and VideoFormat(name).is_planar and self.pixels.shape == pixels.shape
