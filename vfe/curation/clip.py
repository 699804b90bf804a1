"""A clip of one face, cut out by one constant square window, as a scorer sees it.

T frames, S side of the crop in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class FaceClip:
    """The crop of a face through T frames, and where the face is in it.

    Raises ValueError where the shapes or the kinds of numbers are not those said here.
    """

    frames: Tensor
    """RGB (T, S, S, 3) uint8."""
    boxes: Tensor
    """The face on each frame, x0 y0 x1 y1 in pixels of the crop: (T, 4)."""
    landmarks: Tensor
    """Image-left eye, image-right eye, nose tip, mouth corners, x y in pixels of the crop: (T, 5, 2)."""
    confidence: Tensor
    """The detector's score of the face on each frame, 0 to 1, and 0 where it was not seen: (T,)."""
    face_px: float
    """The median over the frames of the face's size, the square root of its box's area, in pixels of the source."""
    fps: float
    """Frames per second."""

    def __post_init__(self) -> None:
        count = len(self.frames)
        square = self.frames.dim() == 4 and self.frames.shape[1] == self.frames.shape[2] and self.frames.shape[3] == 3
        if not count or not square or self.frames.dtype != torch.uint8:
            raise ValueError(
                f"frames {tuple(self.frames.shape)} {self.frames.dtype}: needed (T, S, S, 3) uint8, T >= 1"
            )
        needed = {"boxes": (count, 4), "landmarks": (count, 5, 2), "confidence": (count,)}
        for name, shape in needed.items():
            got = tuple(getattr(self, name).shape)
            if got != shape:
                raise ValueError(f"{name} {got}: needed {shape}, one for each frame")
        if self.face_px <= 0 or self.fps <= 0:
            raise ValueError(f"face_px={self.face_px}, fps={self.fps}: needed numbers above 0")

    @property
    def side(self) -> int:
        """The side of the crop in pixels."""
        return self.frames.shape[1]
