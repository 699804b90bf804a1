"""Structural similarity (Wang et al. 2004) of luma: an 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, peak
255, the covariances not corrected for the number of samples.

The mean is over all pixels of a frame, whose border is mirrored; the original takes only windows that lie inside. Of
the papers none says which form it took.

H W sides.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..metric import Figure, OfFrames
from ..moment import Moment

WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


class Ssim(OfFrames):
    """The mean over frames of the mean similarity of their luma."""

    figure = Figure("ssim", "higher")
    why = f"a side of the frame is under {WINDOW // 2 + 1} pixels"

    def value(self, moment: Moment) -> float | None:
        """Return the similarity of a frame and that of the reference."""
        assert moment.clean is not None
        if min(moment.shown.size) <= WINDOW // 2:
            return None
        return float(ssim_map(moment.shown.luma, moment.clean.luma).mean())


def ssim_map(a: Tensor, b: Tensor) -> Tensor:
    """Return the similarity (H, W) of two lumas (H, W) of 0 to 255 around each pixel."""
    a, b = a.double(), b.double()
    mean_a, mean_b, aa, bb, ab = _blurred(torch.stack([a, b, a * a, b * b, a * b]))
    var_a, var_b, cov = aa - mean_a**2, bb - mean_b**2, ab - mean_a * mean_b
    similar = (2 * mean_a * mean_b + C1) * (2 * cov + C2)
    return similar / ((mean_a**2 + mean_b**2 + C1) * (var_a + var_b + C2))


def _blurred(maps: Tensor) -> Tensor:
    """Return maps (N, H, W) under the window, with mirrored borders."""
    reach = WINDOW // 2
    at = torch.arange(-reach, reach + 1, dtype=maps.dtype)
    taps = torch.exp(-0.5 * (at / SIGMA) ** 2)
    taps = taps / taps.sum()
    padded = F.pad(maps[:, None], [reach] * 4, mode="reflect")
    rows = F.conv2d(padded, taps.view(1, 1, -1, 1))
    return F.conv2d(rows, taps.view(1, 1, 1, -1))[:, 0]
