"""Masks of a face in a clip: its oval, or the head with hair and ears.

T frames, M side of a mask, S side of a crop, R side of a region. Boxes are xyxy in pixels of the frame.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..face.detect.upright import CROP_SCALE, invert, sampling_grid, unit_grid
from .head import HEAD
from .steady import SteadyFace
from .window import Window

MASK_SIDE = 96
"""The side of the masks that training reads."""
HEAD_RADII = (0.5 + (HEAD[0] + HEAD[2]) / 2, 0.5 + (HEAD[1] + HEAD[3]) / 2)
"""Half of the axes of the oval that stands for a head, in widths and heights of the box."""
HEAD_RISE = (HEAD[1] - HEAD[3]) / 2
"""How far its middle is above that of the box, in heights of it."""

HeadParser = Callable[[Tensor], Tensor]
"""Takes crops (T, S, S, 3) uint8 and gives the share of head (T, M, M), 0 to 1, of each pixel of the masks."""


def oval_masks(face: SteadyFace, window: Window) -> Tensor:
    """Return the masks (T, M, M) bool of what the bundled net calls the region of the face."""
    return _seen(face.masks.float() / 255, face.matrices, window)


def grown_masks(face: SteadyFace, window: Window) -> Tensor:
    """Return the masks (T, M, M) bool of ovals around the box grown to a head, turned as the face is."""
    side = 2 * MASK_SIDE
    sizes = (face.boxes[:, 2:] - face.boxes[:, :2]).clamp(min=1)
    # The oval is drawn in the upright crop of the face, scaled up by 2 around its middle so that a head fits.
    units = sizes / sizes.prod(-1, keepdim=True).sqrt() / CROP_SCALE / 2
    middle = torch.stack([torch.full_like(units[:, 0], 0.5), 0.5 - HEAD_RISE * units[:, 1]], -1)
    offsets = (unit_grid(side, units.device) - middle[:, None, None]) / (units * units.new_tensor(HEAD_RADII))[
        :, None, None
    ]
    ovals = ((1 - offsets.norm(dim=-1)) * side / 4 + 0.5).clamp(0, 1)
    linear = face.matrices[:, :, :2] * 2
    corner = face.matrices[:, :, 2] - face.matrices[:, :, :2].sum(-1) / 2
    return _seen(ovals, torch.cat([linear, corner[..., None]], -1), window)


def _seen(regions: Tensor, matrices: Tensor, window: Window) -> Tensor:
    """Return regions (T, R, R), whose crops `matrices` (T, 2, 3) take to the frame, as seen in the window."""
    step = window.side / MASK_SIDE
    centres = (torch.arange(MASK_SIDE, dtype=torch.float64) + 0.5) * step
    x, y = window.left + centres, window.top + centres
    backward = invert(matrices.double())
    grids = torch.cat([sampling_grid(matrix, x, y) for matrix in backward])
    return F.grid_sample(regions[:, None], grids, align_corners=False)[:, 0] > 0.5
