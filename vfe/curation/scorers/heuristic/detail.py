"""Detail: how fine the face is resolved, whatever the size that it is stored in.

The cut-off is the highest frequency at which the spectrum stands out of its floor, in cycles per width of the face. An
enlarged face keeps its low cut-off, and noise raises the floor, so that neither is taken for detail, as measures of
gradients do. Our own measure.

N frames, s side of the face's square.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ....video.resize import resize
from .curve import falling, rising
from .faces import Faces

OVER_FLOOR = 10.0
"""From so many times the floor on, a frequency is there."""
LEAST_NOISE = 1.2
"""Levels of 255 of white noise that make the least floor: a blur that takes noise away brings no detail."""
FLOOR_SHARE = 1 / 16
"""The outermost frequencies, which make the floor."""
CUT_OFF_HALF, CUT_OFF_STEEP, CUT_OFF_WEIGHT = 45.0, 4.0, 0.8
BLUR_SIDE, BLUR_REACH = 160, 4
BLUR_HALF, BLUR_STEEP = 0.6, 10.0


def detail(faces: Faces) -> float:
    """Return the points for detail, 0 to 1."""
    sharp = rising(float(cut_off(faces.luma).median()), CUT_OFF_HALF, CUT_OFF_STEEP)
    clear = falling(blur_effect(faces.luma), BLUR_HALF, BLUR_STEEP)
    return CUT_OFF_WEIGHT * sharp + (1 - CUT_OFF_WEIGHT) * clear


def cut_off(luma: Tensor) -> Tensor:
    """Return the cut-off frequency of each face (N, s, s), in cycles per side: (N,)."""
    side = luma.shape[-1]
    window = torch.hann_window(side)
    power = torch.fft.rfft2((luma - luma.mean((1, 2), keepdim=True)) * window[:, None] * window).abs().square()
    radial = radial_mean(power, side)
    floor = radial[:, -max(round(radial.shape[1] * FLOOR_SHARE), 1) :].median(1).values
    least = (LEAST_NOISE * window.square().sum()).square()  # the power of white noise in the window
    there = radial > OVER_FLOOR * floor.clamp(min=float(least))[:, None]
    return (there * torch.arange(radial.shape[1])).amax(1).float()


def radial_mean(power: Tensor, side: int) -> Tensor:
    """Return the mean of a half spectrum (N, s, s // 2 + 1) at each whole frequency, up to Nyquist's: (N, f)."""
    down, across = torch.fft.fftfreq(side) * side, torch.fft.rfftfreq(side) * side
    radius = (down[:, None].square() + across.square()).sqrt().round().long().flatten()
    count = torch.zeros(int(radius.max()) + 1).index_add_(0, radius, torch.ones(len(radius)))
    total = torch.zeros(len(power), len(count)).index_add_(1, radius, power.flatten(1))
    return (total / count)[:, : side // 2 + 1]


def blur_effect(luma: Tensor) -> float:
    """Return the blur effect of faces (N, s, s), 0 sharp to 1 (Crete et al. 2007), at one size for all."""
    same = resize(luma, (BLUR_SIDE, BLUR_SIDE))
    return float(torch.maximum(_lost(same), _lost(same.transpose(1, 2))).median())


def _lost(luma: Tensor) -> Tensor:
    """The share of the differences across that stay when the picture is blurred across: (N,)."""
    smooth = F.avg_pool1d(F.pad(luma, (BLUR_REACH, BLUR_REACH), mode="replicate"), 2 * BLUR_REACH + 1, 1)
    own, left = luma.diff(dim=2).abs(), smooth.diff(dim=2).abs()
    return 1 - (own - left).clamp(min=0).sum((1, 2)) / own.sum((1, 2)).clamp(min=1e-6)
