"""Detail: how fine the face is resolved, whatever the size that it is stored in.

The cut-off is the highest frequency at which the spectrum stands out of its floor (vfe/video/spectrum.py), in cycles
per width of the face. An enlarged face keeps its low cut-off, and noise raises the floor, so that neither is taken for
detail, as measures of gradients do. Our own measure.

N frames, s side of the face's square.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ....video.resize import resize
from ....video.spectrum import cut_off
from .curve import falling, rising
from .faces import Faces

CUT_OFF_HALF, CUT_OFF_STEEP, CUT_OFF_WEIGHT = 45.0, 4.0, 0.8
BLUR_SIDE, BLUR_REACH = 160, 4
BLUR_HALF, BLUR_STEEP = 0.6, 10.0


def detail(faces: Faces) -> float:
    """Return the points for detail, 0 to 1."""
    sharp = rising(float(cut_off(faces.luma).median()), CUT_OFF_HALF, CUT_OFF_STEEP)
    clear = falling(blur_effect(faces.luma), BLUR_HALF, BLUR_STEEP)
    return CUT_OFF_WEIGHT * sharp + (1 - CUT_OFF_WEIGHT) * clear


def blur_effect(luma: Tensor) -> float:
    """Return the blur effect of faces (N, s, s), 0 sharp to 1 (Crete et al. 2007), at one size for all."""
    same = resize(luma, (BLUR_SIDE, BLUR_SIDE))
    return float(torch.maximum(_lost(same), _lost(same.transpose(1, 2))).median())


def _lost(luma: Tensor) -> Tensor:
    """The share of the differences across that stay when the picture is blurred across: (N,)."""
    smooth = F.avg_pool1d(F.pad(luma, (BLUR_REACH, BLUR_REACH), mode="replicate"), 2 * BLUR_REACH + 1, 1)
    own, left = luma.diff(dim=2).abs(), smooth.diff(dim=2).abs()
    return 1 - (own - left).clamp(min=0).sum((1, 2)) / own.sum((1, 2)).clamp(min=1e-6)
