"""How sharp a face is, as the number `sharp` of a manifest by which training may choose.

T frames, S side.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..luma import LUMA

LOOKED_AT = 9
"""The frames of a clip that are looked at, evenly spaced."""
LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def sharpness(frames: Tensor, boxes: Tensor) -> float:
    """Return the variance of the Laplacian of luma, 0 to 255, in the box of the face: the median over a clip's frames.

    `frames` are (T, S, S, 3) uint8 and `boxes` (T, 4) xyxy in their pixels. Noise and compression count too, so that
    this is for comparing clips of one source.
    """
    side, variances = frames.shape[1], []
    for index in torch.linspace(0, len(frames) - 1, min(LOOKED_AT, len(frames))).round().long().tolist():
        left, top = (int(value) for value in boxes[index, :2].floor().clamp(0, side - 8))
        right, bottom = (int(value) for value in boxes[index, 2:].ceil().clamp(8, side))
        face = frames[index, top : max(bottom, top + 8), left : max(right, left + 8)].float()
        luma = face @ face.new_tensor(LUMA)
        variances.append(F.conv2d(luma[None, None], luma.new_tensor(LAPLACIAN)[None, None]).var())
    return float(torch.stack(variances).median())
