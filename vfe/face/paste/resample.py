"""From a frame to the crop of a box and back, both by bicubic interpolation along each axis.

C channels, H W frame sides, S crop side, K outputs and L inputs of an interpolation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .crop_box import CropBox

KERNEL_RADIUS = 2  # pixels on each side that bicubic interpolation looks at


class Area(NamedTuple):
    """A rectangle of whole pixels of a frame; `bottom` and `right` are the first that are not in it."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The index of the area's pixels in a frame: rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def moved(self, down: int, right: int) -> Area:
        """Return the area so many pixels further down and right."""
        return Area(self.top + down, self.bottom + down, self.left + right, self.right + right)


def box_area(box: CropBox, height: int, width: int) -> Area:
    """Return the pixels of a frame whose centres are in the box; there are none where it is outside of the frame."""
    top, bottom = (_first_centre(edge, height) for edge in (box.top, box.top + box.size))
    left, right = (_first_centre(edge, width) for edge in (box.left, box.left + box.size))
    return Area(top, bottom, left, right)


def _first_centre(edge: float, length: int) -> int:
    """Return the first of `length` pixels whose centre is not before the edge."""
    return min(max(math.ceil(edge - 0.5), 0), length)


def take_crop(frame: Tensor, box: CropBox, side: int) -> Tensor:
    """Cut the crop (C, S, S) of a box out of a frame (C, H, W).

    It is antialiased where it shrinks. Beyond the frame, the border's pixels go on.
    """
    step = box.size / side
    centres = (torch.arange(side, dtype=torch.float64) + 0.5) * step
    rows = cubic_weights(box.top + centres, frame.shape[-2], step)
    columns = cubic_weights(box.left + centres, frame.shape[-1], step)
    return _interpolate(frame, rows, columns)


def put_crop(crop: Tensor, box: CropBox, height: int, width: int) -> tuple[Area, Tensor]:
    """Return the area of a frame of `height` and `width` that a box covers, and the pixels (C, h, w) of its
    crop there.
    """
    area = box_area(box, height, width)
    side = crop.shape[-1]
    step = side / box.size
    rows = cubic_weights((_centres(area.top, area.bottom) - box.top) * step, side, step)
    columns = cubic_weights((_centres(area.left, area.right) - box.left) * step, side, step)
    return area, _interpolate(crop, rows, columns)


def _centres(start: int, stop: int) -> Tensor:
    return torch.arange(start, stop, dtype=torch.float64) + 0.5


class Weights(NamedTuple):
    """An interpolation along an axis: K outputs from the pixels `start` to `start + L` of the input."""

    start: int
    matrix: Tensor  # (K, L)


def cubic_weights(positions: Tensor, length: int, step: float) -> Weights:
    """Return the weights of `length` pixels for values at rising positions `positions` (K,), which are `step` pixels
    apart.

    The kernel is Keys' with a = -0.5, widened where the step is above 1. Positions beyond the ends get the pixel at the
    end.
    """
    scale = max(step, 1.0)
    first = torch.floor(positions - KERNEL_RADIUS * scale).long()
    pixels = first[:, None] + torch.arange(math.ceil(2 * KERNEL_RADIUS * scale) + 2)
    weights = _keys((pixels + 0.5 - positions[:, None]) / scale)
    weights = weights / weights.sum(-1, keepdim=True)
    pixels = pixels.clamp(0, length - 1)
    start, stop = (int(pixels.min()), int(pixels.max()) + 1) if len(positions) else (0, 1)
    matrix = weights.new_zeros(len(positions), stop - start)
    return Weights(start, matrix.scatter_add_(1, pixels - start, weights).float())


def _keys(x: Tensor) -> Tensor:
    """Return Keys' cubic kernel (1981) with a = -0.5 at distances `x` from its centre."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < KERNEL_RADIUS, far, 0.0))


def _interpolate(picture: Tensor, rows: Weights, columns: Weights) -> Tensor:
    part = picture[
        ..., rows.start : rows.start + rows.matrix.shape[1], columns.start : columns.start + columns.matrix.shape[1]
    ]
    return rows.matrix @ (part.float() @ columns.matrix.T)
