"""A clip of two faces: the astronaut's, and its mirror image, drifting over a plain wall."""

from __future__ import annotations

import skimage.data
import torch
from torch import Tensor

SIDE = 192


def two_faces(frames: int) -> Tensor:
    """(T, 3, 192, 384) in [-1, 1]."""
    picture = torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1) / 127.5 - 1
    face = torch.nn.functional.interpolate(picture[None, :, 20:220, 130:310], (120, 108), mode="area")[0]
    clip = torch.full((frames, 3, SIDE, 2 * SIDE), 0.1)
    for index, frame in enumerate(clip):
        frame[:, 30:150, 20 + 2 * index : 128 + 2 * index] = face
        frame[:, 40:160, 240 - index : 348 - index] = face.flip(-1)
    return clip
