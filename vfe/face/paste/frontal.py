"""How far a head is turned, as its five landmarks tell, and how much of a face that is aligned to be shown frontally.

n frames of a track. Points are xy.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..detect.upright import apply
from .align import similarities, template
from .crop_box import smoothed

FRONTAL, PROFILE = 0.045, 0.075
"""Root mean square of what the template misses the landmarks by, in sides of an aligned crop. A head that is turned by
50 degrees has the first, one turned by 66 degrees the second; of 1653 dev frames none reaches 0.04. Our own choice."""
FRONTAL_SMOOTHING = 4.0
"""Spread, in frames, of the Gaussian that steadies it: a face that turns fades, and does not flicker."""


def misfit(landmarks: Tensor) -> Tensor:
    """By how much the nearest similarity of the template misses the landmarks (n, 5, 2), in sides of the crop: (n,)
    float64.

    It does not depend on where the face is, how large, or how it rolls.
    """
    matrices = similarities(landmarks)
    sides = torch.linalg.det(matrices[:, :, :2]).clamp(min=1e-12).sqrt()
    missed = apply(matrices, template().expand(len(landmarks), -1, -1)) - landmarks
    return missed.square().sum(-1).mean(-1).sqrt() / sides


def frontal_weights(landmarks: Tensor) -> Tensor:
    """1 for frames on which a face (n, 5, 2) is seen from the front, 0 for its profile, smooth over time: (n,)."""
    turned = smoothed(misfit(landmarks).clamp(max=2 * PROFILE), FRONTAL_SMOOTHING)
    share = ((PROFILE - turned) / (PROFILE - FRONTAL)).clamp(0, 1)
    return (share * share * (3 - 2 * share)).float()
