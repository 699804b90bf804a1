"""A frame that waits until its faces are restored, and is pasted then. Black bars beside its picture stay, and its tone
where it has one.

Faces of close-ups reach into bars: their crops see the picture's edge go on there, as at the border of a frame.

Frames are (3, H, W) float32 in [-1, 1].
"""

from __future__ import annotations

from torch import Tensor

from ..face.paste.paste import Patch, paste
from ..pipeline.bars import picture_area
from ..pipeline.one_tone import colour_share, in_tone_of


class WaitingFrame:
    """A frame into which faces are pasted, and the patches that it has so far of those that it needs."""

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels
        self.missing = 0
        self.patches: dict[int, Patch] = {}  # by the track's number

    def pasted(self) -> Tensor:
        """Return the frame with the patches that it has; what is black stays so, and what is of one tone."""
        area = picture_area([self.pixels]) if self.patches else None
        if area is None:
            return self.pixels
        pasted = paste(self.pixels, [patch for _, patch in sorted(self.patches.items())])
        colours = colour_share(self.pixels[area.slices])
        return area.put(in_tone_of(self.pixels, pasted, colours), self.pixels)


def without_bars(frame: Tensor) -> Tensor:
    """Return a frame into whose bars the edge of its picture goes on."""
    area = picture_area([frame])
    return frame if area is None else area.spread(frame)
