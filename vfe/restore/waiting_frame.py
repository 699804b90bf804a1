"""A frame that waits until its faces are restored, and is pasted then. Black bars beside its picture stay.

Faces of close-ups reach into bars: their crops see the picture's edge go on there, as at the border of a frame.

Frames are (3, H, W) float32 in [-1, 1].
"""

from __future__ import annotations

from torch import Tensor

from ..face.paste.paste import Patch, paste
from ..pipeline.bars import PictureArea, picture_area


class WaitingFrame:
    """A frame into which faces are pasted, and the patches that it has so far of those that it needs."""

    def __init__(self, pixels: Tensor) -> None:
        self._pixels, self._area = pixels, picture_area([pixels])
        self.seen = _spread(pixels, self._area)
        """What faces are cut out of, and pasted into."""
        self.missing = 0
        self.patches: dict[int, Patch] = {}  # by the track's number

    def pasted(self) -> Tensor:
        """Return the frame with the patches that it has; one that is black stays so."""
        if self._area is None:
            return self._pixels
        return self._area.put(paste(self.seen, [patch for _, patch in sorted(self.patches.items())]), self._pixels)


def without_bars(frame: Tensor) -> Tensor:
    """Return a frame into whose bars the edge of its picture goes on."""
    return _spread(frame, picture_area([frame]))


def _spread(frame: Tensor, area: PictureArea | None) -> Tensor:
    return frame if area is None else area.spread(frame)
