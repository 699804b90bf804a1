"""Where a restored face is shown: its region, steady in time and soft at the border.

S mask side, h w sides of an area of the frame. A matrix (2, 3) takes a mask, 0 to 1 on both axes, to the frame.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..detect.upright import CROP_SCALE, invert, sampling_grid
from ..track.tracks import FaceTrack
from .crop_box import CropBox, smoothed
from .resample import Area

MASK_SATURATION = 0.03
"""Masks are never quite 0 or 1: what is nearer to them than this is taken for them."""
BORDER_FADE = 0.06
"""Over this part of a crop box's side a region fades at the border, should it reach there."""


class FaceRegion:
    """The region of a track's face on each of its frames: soft at the border and steady over time."""

    def __init__(self, track: FaceTrack, feather: float, smooth: float) -> None:
        """Prepare the masks of a track.

        `feather` is the spread of the soft border in sides of the face, `smooth` that along time in frames.
        """
        self.masks = track.masks
        self.smooth = smooth
        side = track.masks.shape[-1]
        self.spread = feather * side / CROP_SCALE  # pixels of the mask
        self.pad = math.ceil(3 * self.spread) + 1
        matrices = smoothed(track.matrices, smooth)
        linear = matrices[:, :, :2] * (1 + 2 * self.pad / side)
        corner = matrices[:, :, 2] - matrices[:, :, :2].sum(-1) * (self.pad / side)
        self.to_mask = invert(torch.cat([linear, corner[..., None]], dim=-1))

    def weight(self, index: int, area: Area, box: CropBox) -> Tensor:
        """Return the weight (h, w), 0 to 1, of each pixel of an area of the track's frame `index`.

        It falls to 0 at the border of the crop box.
        """
        y, x = _centres(area)
        fade = torch.outer(_inside(y, box.top, box.size), _inside(x, box.left, box.size))
        return self.unfaded(index, area) * fade.float()

    def unfaded(self, index: int, area: Area) -> Tensor:
        """Return the same as `weight`, but without the fall at the border of a crop box."""
        y, x = _centres(area)
        grid = sampling_grid(self.to_mask[index], x, y)
        return F.grid_sample(self._soft_mask(index)[None, None], grid, align_corners=False)[0, 0]

    def _soft_mask(self, index: int) -> Tensor:
        """Return the mean of the masks around a frame, blurred: (S + 2 pad, S + 2 pad)."""
        reach = int(3 * self.smooth + 0.5)
        start, stop = max(index - reach, 0), min(index + reach + 1, len(self.masks))
        shares = torch.exp(-0.5 * ((torch.arange(start, stop) - index) / max(self.smooth, 1e-6)) ** 2)
        mean = torch.einsum("n,nhw->hw", shares / shares.sum(), self.masks[start:stop].float() / 255)
        soft = _blurred(F.pad(mean, [self.pad] * 4), self.spread)
        return _smooth_step((soft - MASK_SATURATION) / (1 - 2 * MASK_SATURATION))


def border_fade(side: int, share: float = BORDER_FADE) -> Tensor:
    """Return a weight (S, S) that is 1 inside of a crop and falls to 0 at its border, over a share of its side."""
    at = torch.arange(side, dtype=torch.float64) + 0.5
    inside = _inside(at, 0, side, share)
    return torch.outer(inside, inside).float()


def _centres(area: Area) -> tuple[Tensor, Tensor]:
    """Return the centres of the rows and of the columns of an area, in pixels of the frame."""
    y, x = (torch.arange(*span, dtype=torch.float64) + 0.5 for span in (area[:2], area[2:]))
    return y, x


def _inside(at: Tensor, start: float, size: float, share: float = BORDER_FADE) -> Tensor:
    """Return a weight along an axis that is 1 inside of a crop box and falls to 0 at its ends."""
    border = torch.minimum(at - start, start + size - at) / (share * size)
    return _smooth_step(border)


def _smooth_step(x: Tensor) -> Tensor:
    """Return the cubic that goes from 0 at 0 to 1 at 1 and is level at both."""
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def _blurred(picture: Tensor, spread: float) -> Tensor:
    """Return a picture (S, S) under a Gaussian."""
    reach = math.ceil(3 * spread)
    if reach == 0:
        return picture
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / spread) ** 2)
    kernel = kernel / kernel.sum()
    rows = F.conv2d(picture[None, None], kernel.view(1, 1, -1, 1), padding=(reach, 0))
    return F.conv2d(rows, kernel.view(1, 1, 1, -1), padding=(0, reach))[0, 0]
