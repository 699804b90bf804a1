"""Where each pixel of a picture is in another: dense optical flow by Lucas and Kanade (1981), coarse to fine.

For crops that are aligned already, and so move little. It needs torch alone.

N pictures of one channel, in levels of 255; h w sides. Flows (N, 2, h, w) are xy, in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from .align import Interpolation

SCALES = 3
COARSEST = 8  # pixels along the shortest side of the coarsest scale
RADIUS = 2  # pixels around each one that are taken to move as it does
STEPS = 2  # at each scale
STIFFNESS = 1.0  # what is added to squared slopes, so that plain places stay where they are
LONGEST_STEP = 2.0  # pixels


def flow(here: Tensor, there: Tensor) -> Tensor:
    """Return how far each pixel of pictures (N, 1, h, w) has to go to where it is in others: (N, 2, h, w)."""
    scales = list(zip(_pyramid(here), _pyramid(there), strict=True))
    coarsest = scales[0][0]
    found = coarsest.new_zeros(len(coarsest), 2, *coarsest.shape[-2:])
    for a, b in scales:
        sides = a.shape[-2:]
        found = _improved(found if found.shape[-2:] == sides else enlarged(found, sides), a, b)
    return found


def moved(pictures: Tensor, by: Tensor, interpolation: Interpolation = "bilinear") -> Tensor:
    """Return pictures (N, C, h, w) as they are seen along a flow: each pixel from where the flow says that it is."""
    height, width = pictures.shape[-2:]
    x = (torch.arange(width, dtype=by.dtype, device=by.device) * 2 + 1) / width - 1
    y = (torch.arange(height, dtype=by.dtype, device=by.device) * 2 + 1) / height - 1
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    grid = torch.addcmul(places, rearrange(by, "n xy h w -> n h w xy"), by.new_tensor([2 / width, 2 / height]))
    return F.grid_sample(pictures, grid, mode=interpolation, padding_mode="border", align_corners=False)


def enlarged(found: Tensor, sides: Sequence[int]) -> Tensor:
    """Return a flow between pictures of twice the size."""
    return F.interpolate(found * 2, size=list(sides), mode="bilinear", align_corners=False)


def box_mean(pictures: Tensor, radius: int) -> Tensor:
    """Return the mean around each pixel, over squares of 2 `radius` + 1; beyond the border, its pixels go on."""
    return _line_mean(_line_mean(pictures, radius, -1), radius, -2)


def _line_mean(pictures: Tensor, radius: int, axis: int) -> Tensor:
    """Return the mean along an axis. A few shifted sums: on a CPU several times as fast as pooling."""
    margin = (radius, radius, 0, 0) if axis == -1 else (0, 0, radius, radius)
    padded, side = F.pad(pictures, margin, mode="replicate"), pictures.shape[axis]
    total = padded.narrow(axis, 0, side).clone()
    for shift in range(1, 2 * radius + 1):
        total += padded.narrow(axis, shift, side)
    return total.div_(2 * radius + 1)


def _pyramid(pictures: Tensor) -> list[Tensor]:
    """Return pictures at all scales, the coarsest first."""
    scales = [pictures]
    while len(scales) < SCALES and min(scales[-1].shape[-2:]) >= 2 * COARSEST:
        scales.append(F.avg_pool2d(scales[-1], 2, ceil_mode=True))
    return scales[::-1]


def _improved(found: Tensor, here: Tensor, there: Tensor) -> Tensor:
    """Return a flow after the steps of one scale, each the least squares solution for the square around a pixel."""
    slope_x, slope_y = _slopes(here)
    squares = box_mean(torch.cat([slope_x * slope_x, slope_x * slope_y, slope_y * slope_y], 1), RADIUS)
    xx, xy, yy = squares[:, :1] + STIFFNESS, squares[:, 1:2], squares[:, 2:] + STIFFNESS
    scale = 1 / (xx * yy - xy * xy)
    for _ in range(STEPS):
        missing = here - moved(there, found)
        x, y = box_mean(torch.cat([slope_x * missing, slope_y * missing], 1), RADIUS).chunk(2, 1)
        step = torch.cat([(yy * x - xy * y) * scale, (xx * y - xy * x) * scale], 1)
        found = found + step.clamp(-LONGEST_STEP, LONGEST_STEP)
    return box_mean(found, 1)


def _slopes(pictures: Tensor) -> tuple[Tensor, Tensor]:
    x = F.pad(pictures, (1, 1, 0, 0), mode="replicate")
    y = F.pad(pictures, (0, 0, 1, 1), mode="replicate")
    return (x[..., 2:] - x[..., :-2]) / 2, (y[..., 2:, :] - y[..., :-2, :]) / 2
