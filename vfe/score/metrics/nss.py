"""Statistics of natural scenes in a picture, the features of NIQE (Mittal et al. 2013, "Making a Completely Blind
Image Quality Analyzer").

Of each patch of 96 pixels, and of the half-sized picture's of 48: how its locally normalised luma is distributed, and
the products of neighbours: an asymmetric generalised Gaussian each, whose parameters are the 36 features.

H W sides, N patches, P pixels of a patch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

PATCH = 96
"""The side of a patch, at the full size."""
FEATURES = 36
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
Values = npt.NDArray[np.float64]


class Patches(NamedTuple):
    """The features of a picture's patches."""

    features: Values
    """(N, 36)."""
    sharpness: Values
    """(N,): the mean local deviation of each, by which clear ones are chosen when a model is fitted."""


def patches_of(luma: Tensor) -> Patches:
    """Return the features of the patches of a luma (H, W) of 0 to 255; there are none where a side is under 96."""
    height, width = (side // PATCH * PATCH for side in luma.shape)
    if not height or not width:
        return Patches(np.zeros((0, FEATURES)), np.zeros(0))
    full = luma[:height, :width].double().round()
    parts, sharp = [], np.zeros(0)
    for scale, side in ((1, PATCH), (2, PATCH // 2)):
        normal, deviation = locally_normal(full if scale == 1 else halved(full))
        parts.append(_features(_cut(normal, side), side))
        if scale == 1:
            sharp = _cut(deviation, side).mean(1)
    return Patches(np.concatenate(parts, axis=1), sharp)


def locally_normal(luma: Tensor) -> tuple[Tensor, Tensor]:
    """Return (luma - local mean) / (local deviation + 1), and the deviation, under a 7x7 Gaussian of sigma 7/6."""
    at = torch.arange(-3, 4, dtype=torch.float64)
    taps = torch.exp(-0.5 * (at / (7 / 6)) ** 2)
    taps = taps / taps.sum()
    both = F.pad(torch.stack([luma, luma * luma])[:, None], [3] * 4, mode="replicate")
    mean, squares = F.conv2d(F.conv2d(both, taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1))[:, 0]
    deviation = (squares - mean * mean).abs().sqrt()
    return (luma - mean) / (deviation + 1), deviation


def halved(luma: Tensor) -> Tensor:
    """Return a picture of half the size, by the bicubic filter of MATLAB's imresize, which is widened as it shrinks."""
    at = (torch.arange(8, dtype=torch.float64) - 3.5).abs() / 2
    near = 1.5 * at**3 - 2.5 * at**2 + 1
    far = -0.5 * at**3 + 2.5 * at**2 - 4 * at + 2
    taps = torch.where(at <= 1, near, far)
    taps = taps / taps.sum()
    padded = _mirrored(_mirrored(luma, 0), 1)[None, None]
    return F.conv2d(F.conv2d(padded, taps.view(1, 1, -1, 1), stride=(2, 1)), taps.view(1, 1, 1, -1), stride=(1, 2))[
        0, 0
    ]


def _mirrored(luma: Tensor, axis: int) -> Tensor:
    """Return a picture with three more pixels at both ends of an axis: the border itself is repeated first."""
    size = luma.shape[axis]
    return torch.cat([luma.narrow(axis, 0, 3).flip(axis), luma, luma.narrow(axis, size - 3, 3).flip(axis)], axis)


def _cut(values: Tensor, side: int) -> Values:
    """Return the patches (N, P) of a map, row by row."""
    patches = values.unfold(0, side, side).unfold(1, side, side)
    cut: Values = patches.reshape(-1, side * side).numpy()
    return cut


def _features(patches: Values, side: int) -> Values:
    """Return the 18 features (N, 18) of patches (N, P) at one scale."""
    alpha, left, right = fit_asymmetric(patches)
    found = [alpha, (left + right) / 2]
    square = patches.reshape(-1, side, side)
    for shift in NEIGHBOURS:
        products = square * np.roll(square, shift, axis=(1, 2))
        alpha, left, right = fit_asymmetric(products.reshape(patches.shape))
        mean = (right - left) * _gamma(2 / alpha) / _gamma(1 / alpha)
        found += [alpha, mean, left, right]
    return np.stack(found, axis=1)


def fit_asymmetric(samples: Values) -> tuple[Values, Values, Values]:
    """Return the shape and the left and right scales (N,) of the asymmetric generalised Gaussians of samples (N, P).

    By moments (Lasmar et al. 2009), the shape from a table of steps of 0.001 from 0.2 to 10. Where a patch has no
    samples on one side, they are NaN.
    """
    squares = samples**2
    left = np.sqrt(_mean_where(squares, samples < 0))
    right = np.sqrt(_mean_where(squares, samples > 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = left / right
        spread = np.abs(samples).mean(1) ** 2 / squares.mean(1)
        wanted = spread * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, ratios = _table()
    at = np.clip(np.searchsorted(ratios, wanted), 1, len(ratios) - 1)
    at = at - (wanted - ratios[at - 1] < ratios[at] - wanted)
    alpha = np.where(np.isfinite(wanted), shapes[at], np.nan)
    scale = np.sqrt(_gamma(1 / alpha) / _gamma(3 / alpha))
    return alpha, left * scale, right * scale


def _mean_where(values: Values, chosen: npt.NDArray[np.bool_]) -> Values:
    """Return the mean of the chosen values of each row; NaN where there are none."""
    count = chosen.sum(1)
    mean: Values = np.where(count > 0, (values * chosen).sum(1) / np.maximum(count, 1), np.nan)
    return mean


@lru_cache(maxsize=1)
def _table() -> tuple[Values, Values]:
    """Return shapes and, rising with them, Gamma(2/a)^2 / (Gamma(1/a) Gamma(3/a))."""
    shapes = np.arange(0.2, 10.001, 0.001)
    return shapes, np.exp(2 * _log_gamma(2 / shapes) - _log_gamma(1 / shapes) - _log_gamma(3 / shapes))


def _gamma(x: Values) -> Values:
    return np.exp(_log_gamma(x))


def _log_gamma(x: Values) -> Values:
    values: Values = torch.lgamma(torch.from_numpy(np.atleast_1d(np.asarray(x, np.float64)))).numpy()
    return values
