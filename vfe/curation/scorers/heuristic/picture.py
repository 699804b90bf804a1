"""What several measures look at: blurred brightness, the oval of the face, and blocks that are plain.

N frames, s side of the face's square.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ....degradations.resample import gaussian_matrix

OVAL = (0.36, 0.48)
"""Half of the axes of the face's oval, across and down, in sides of its square; a face is narrower than it is high."""


def blurred(luma: Tensor, sigma: float) -> Tensor:
    """Return brightness (N, h, w) blurred by a Gaussian of `sigma` pixels."""
    rows, columns = (gaussian_matrix(side, sigma) for side in luma.shape[-2:])
    return rows @ (luma @ columns.T)


def oval(side: int) -> Tensor:
    """Return which pixels of the face's square are of the face: (s, s) bool."""
    line = (torch.arange(side) + 0.5) / side - 0.5
    return (line[None] / OVAL[0]) ** 2 + (line[:, None] / OVAL[1]) ** 2 < 1


def slope(luma: Tensor) -> Tensor:
    """Return how steep brightness (N, s, s) is, in levels per pixel."""
    down, across = torch.gradient(luma, dim=(1, 2))
    return (down.square() + across.square()).sqrt()


def level_below(values: Tensor, share: float) -> Tensor:
    """Return the value below which a share (0 to 1) of each row of (N, k) lies: (N,). It is faster than a quantile."""
    return values.kthvalue(1 + round(share * (values.shape[1] - 1)), dim=1).values


def plain_blocks(luma: Tensor, share: float, size: int = 8) -> Tensor:
    """Return which blocks of `size` pixels are the plainest of their frame, a `share` of all: (N, blocks) bool.

    They are told by their brightness without its finest part, so that noise makes no block less plain.
    """
    band = blurred(luma, 1.5) - blurred(luma, 4.0)
    activity = F.avg_pool2d(band.square(), size).flatten(1)
    return activity <= level_below(activity, share)[:, None]
