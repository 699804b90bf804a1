"""How far a head is turned, as its five landmarks tell, and how much of an aligned face is therefore shown.

n frames of a track. Points are xy.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..detect.upright import apply
from .align import similarities, template
from .crop_box import smoothed

FRONTAL, PROFILE = 0.045, 0.075
"""The root mean square error with which the template meets the landmarks, in sides of an aligned crop.

A head that is turned by 50 degrees has the first, one turned by 66 degrees the second; of 1653 dev frames none reaches
0.04. Our own choice.
"""
FRONTAL_SMOOTHING = 4.0
"""The spread, in frames, of the Gaussian that steadies the weight: a face that turns fades and does not flicker."""


def misfit(landmarks: Tensor) -> Tensor:
    """Return by how much the nearest similarity of the template misses landmarks (n, 5, 2): (n,) float64, in sides of
    the crop.

    It does not depend on where the face is, how large, or how it rolls.
    """
    matrices = similarities(landmarks)
    sides = torch.linalg.det(matrices[:, :, :2]).clamp(min=1e-12).sqrt()
    missed = apply(matrices, template().expand(len(landmarks), -1, -1)) - landmarks
    return missed.square().sum(-1).mean(-1).sqrt() / sides


def frontal_weights(landmarks: Tensor) -> Tensor:
    """Return 1 for frames on which a face with landmarks (n, 5, 2) is seen from the front and 0 for its profile: (n,).

    Between them, and over time, the weights are smooth.
    """
    turned = smoothed(misfit(landmarks).clamp(max=2 * PROFILE), FRONTAL_SMOOTHING)
    share = ((PROFILE - turned) / (PROFILE - FRONTAL)).clamp(0, 1)
    return (share * share * (3 - 2 * share)).float()
