"""The face of a clip at the size that it had in the source: an enlarged crop has no more in it than that.

N sampled frames, s side of the face's square in pixels of the source or, where the crop is smaller, of the crop.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from ....luma import LUMA
from ....video.resize import resize
from ...clip import FaceClip
from ..frames import spread

LEAST_SIDE = 32
"""Pixels; smaller faces are enlarged to it, so that there is something to measure on."""


@dataclass(frozen=True, eq=False)
class Faces:
    """The faces of the sampled frames."""

    colours: Tensor
    """RGB (N, 3, s, s) from 0 to 255 of the square around the face, as large as the longer side of its box."""
    landmarks: Tensor
    """(N, 5, 2) in pixels of the square."""
    scale: float
    """Pixels of the crop to one of the square, 1 or more."""

    @property
    def luma(self) -> Tensor:
        """Brightness (N, s, s) from 0 to 255."""
        return torch.einsum("nchw,c->nhw", self.colours, self.colours.new_tensor(LUMA))

    @property
    def side(self) -> int:
        """The side of the squares in pixels."""
        return self.colours.shape[-1]


def sampled_faces(clip: FaceClip, count: int) -> Faces:
    """Return the faces of `count` frames of a clip, all of one size."""
    chosen = spread(len(clip.frames), count)
    boxes = clip.boxes[chosen].float()
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
    scale = max(float(sides.prod(-1).sqrt().median()) / clip.face_px, 1.0)
    reach = min(max(round(float(sides.amax(-1).median())), 1), clip.side)
    side = max(round(reach / scale), LEAST_SIDE)
    corners = ((boxes[:, :2] + boxes[:, 2:] - reach) / 2).round().long().clamp(0, clip.side - reach)
    squares = []
    for index, (left, top) in zip(chosen, corners.tolist(), strict=True):
        square = rearrange(clip.frames[index, top : top + reach, left : left + reach], "h w c -> c h w").float()
        squares.append(resize(square, (side, side)))
    landmarks = (clip.landmarks[chosen].float() - corners[:, None]) * side / reach
    return Faces(torch.stack(squares), landmarks, reach / side)
