"""Aligned faces: eyes, nose and mouth of every face come to lie where a template has them.

F faces or frames, S crop side. Points are xy. A matrix (F, 2, 3) takes a point of the crop, 0 to 1 on both axes, to
pixels of the frame, as in `upright`.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ..detect.upright import apply, invert, sampling_grid
from .crop_box import smoothed
from .resample import Area

ALIGNED_SIDE = 256
"""The side of aligned crops in pixels."""

TEMPLATE = torch.tensor(
    [[192.98, 239.95], [318.90, 240.19], [256.63, 314.02], [201.26, 371.41], [313.09, 371.15]], dtype=torch.float64
)
"""Landmarks in a crop of 512 pixels: the mean of FFHQ's aligned faces, which face restorers are commonly trained on."""
TEMPLATE_SIDE = 512


def template() -> Tensor:
    """Return where the five landmarks of an aligned crop are: (5, 2) float64, 0 to 1."""
    return TEMPLATE / TEMPLATE_SIDE


def similarities(landmarks: Tensor) -> Tensor:
    """Return the similarities that take the template nearest to landmarks (F, 5, 2): (F, 2, 3) float64.

    They are the least squares solutions of Umeyama (1991). Landmarks that are all one point give a crop of no size.
    """
    points = landmarks.double()
    ideal = template()
    centre, middle = points.mean(1), ideal.mean(0)
    a, b = ideal - middle, points - centre[:, None]
    spread = a.square().sum()
    cos = (a * b).sum((1, 2)) / spread
    sin = (a[:, 0] * b[..., 1] - a[:, 1] * b[..., 0]).sum(1) / spread
    linear = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], 1)
    return torch.cat([linear, (centre - linear @ middle)[..., None]], dim=-1)


ALIGN_SMOOTHING = 1.5
"""The spread, in frames, of the Gaussian that steadies crops: landmarks are measured to about a pixel."""
SIZE_SMOOTHING = 3.0  # the size and the roll of a head change more slowly than its place


def steady_similarities(landmarks: Tensor, smooth: float = ALIGN_SMOOTHING) -> Tensor:
    """Return the `similarities` of one face's frames (n, 5, 2), steadied over time: (n, 2, 3) float64.

    Centre, size and roll are smoothed each for itself.
    """
    matrices = similarities(landmarks)
    linear = matrices[:, :, :2]
    centres = apply(matrices, matrices.new_full((1, 1, 2), 0.5).expand(len(matrices), -1, -1))[:, 0]
    sizes = torch.linalg.det(linear).clamp(min=1e-12).sqrt().log()
    rolls = torch.atan2(linear[:, 1, 0], linear[:, 0, 0])
    turns = rolls.diff() / (2 * math.pi)  # a roll that passes half a turn goes on beyond it
    rolls = rolls - 2 * math.pi * torch.cat([turns.new_zeros(1), turns.round().cumsum(0)])
    centres = _steadied(centres, smooth)
    sizes, rolls = (_steadied(values, SIZE_SMOOTHING * smooth) for values in (sizes, rolls))
    cos, sin = rolls.cos() * sizes.exp(), rolls.sin() * sizes.exp()
    linear = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], 1)
    return torch.cat([linear, (centres - linear.sum(-1) / 2)[..., None]], dim=-1)


def _steadied(values: Tensor, spread: float) -> Tensor:
    """Return values (n, ...) smoothed over time, with the smooth part of what that took away put back (Tukey's
    twicing).

    A shaking camera is followed, which one Gaussian would lag behind.
    """
    once = smoothed(values, spread)
    return once + smoothed(values - once, spread)


Interpolation = Literal["bicubic", "bilinear"]
"""How pixels between those of a picture are found: sharply, or at a fifth of the time."""


def take_aligned(
    frame: Tensor, matrix: Tensor, side: int = ALIGNED_SIDE, interpolation: Interpolation = "bicubic"
) -> Tensor:
    """Cut an aligned crop (C, S, S) out of a frame (C, H, W).

    It is antialiased where it shrinks. Beyond the frame, the frame is mirrored.
    """
    matrix = matrix.to(frame.device)
    step = float(torch.linalg.det(matrix[:, :2]).abs().sqrt()) / side
    picture, (left, top) = _surroundings(frame, matrix, step)
    size = matrix.new_tensor([picture.shape[-1], picture.shape[-2]])
    matrix = torch.cat([matrix[:, :2], matrix[:, 2:] - matrix.new_tensor([[left], [top]])], dim=1) / size[:, None]
    at = (torch.arange(side, device=frame.device, dtype=matrix.dtype) + 0.5) / side
    grid = sampling_grid(matrix, at, at)[0].to(frame.dtype)
    return _sampled(soften(picture, step), grid, interpolation, "reflection")


def _surroundings(frame: Tensor, matrix: Tensor, step: float) -> tuple[Tensor, tuple[int, int]]:
    """Return the part of a frame (C, H, W) that a crop depends on, and its left and top in the frame.

    It is what softening reaches around the crop, and what is mirrored where the crop reaches beyond the frame.
    """
    reach = 3 + 5 * step
    corners = apply(matrix[None], matrix.new_tensor([[[0, 0], [1, 0], [0, 1], [1, 1]]]))[0]
    spans = []
    for axis, side in ((0, frame.shape[-1]), (1, frame.shape[-2])):
        start, end = float(corners[:, axis].min()) - reach, float(corners[:, axis].max()) + reach
        first, last = start - max(end - side, 0), end + max(-start, 0)
        first, last = (int(min(max(value, 0), side)) for value in (math.floor(first), math.ceil(last)))
        spans.append((first, last) if last > first else (0, side))
    (left, right), (top, bottom) = spans
    return frame[:, top:bottom, left:right], (left, top)


def covered_area(matrix: Tensor, height: int, width: int) -> Area:
    """Return the area of a frame of `height` and `width` that a crop covers; it is empty where it is outside."""
    corners = apply(matrix[None], matrix.new_tensor([[[0, 0], [1, 0], [0, 1], [1, 1]]]))[0]
    (left, top), (right, bottom) = corners.amin(0).floor().int().tolist(), corners.amax(0).ceil().int().tolist()
    area = Area(max(top, 0), min(bottom, height), max(left, 0), min(right, width))
    return area if area.top < area.bottom and area.left < area.right else Area(0, 0, 0, 0)


def put_aligned(crop: Tensor, matrix: Tensor, area: Area, interpolation: Interpolation = "bicubic") -> Tensor:
    """Return the pixels (C, h, w) of a crop (C, S, S) in an area of the frame.

    Pixels of the area that are outside of the crop are 0.
    """
    if area.top == area.bottom or area.left == area.right:
        return crop.new_zeros(len(crop), area.bottom - area.top, area.right - area.left)
    x = torch.arange(area.left, area.right, dtype=matrix.dtype) + 0.5
    y = torch.arange(area.top, area.bottom, dtype=matrix.dtype) + 0.5
    grid = sampling_grid(invert(matrix[None])[0], x, y)[0].to(crop)
    step = crop.shape[-1] / float(torch.linalg.det(matrix[:, :2]).abs().sqrt())
    put = _sampled(soften(crop, step), grid, interpolation, "border")
    return put * (grid.abs() < 1).all(-1)


STRIPS = 8
"""Strips in which a picture is sampled: the kernel shares out pictures among the cores of a CPU, but no rows of one."""


def _sampled(picture: Tensor, grid: Tensor, interpolation: Interpolation, beyond: str) -> Tensor:
    """Return the pixels (C, h, w) of a picture (C, H, W) at the places of a grid (h, w, 2)."""
    each = -(-len(grid) // STRIPS)
    strips = rearrange(F.pad(grid, (0, 0, 0, 0, 0, each * STRIPS - len(grid))), "(n h) w xy -> n h w xy", n=STRIPS)
    pictures = picture.expand(STRIPS, -1, -1, -1)
    sampled = F.grid_sample(pictures, strips, mode=interpolation, padding_mode=beyond, align_corners=False)
    return rearrange(sampled, "n c h w -> c (n h) w")[:, : len(grid)]


def soften(pictures: Tensor, step: float) -> Tensor:
    """Blur pictures (..., H, W) so that every `step`-th pixel stands for all: as much as a box of that many pixels
    would.
    """
    if step <= 1:
        return pictures
    sigma = math.sqrt((step**2 - 1) / 12)
    return _blurred(_blurred(pictures, sigma, -2), sigma, -1)


LEAST_WEIGHT = 1e-3
"""A tap of a Gaussian that weighs less than this part of the middle one is left out: a quarter of a level of 255 where
black meets white."""


def _blurred(pictures: Tensor, sigma: float, axis: int) -> Tensor:
    """Return pictures under a Gaussian along an axis; at the borders, what lies inside counts for all.

    The few taps are added one by one: on a CPU several times as fast as a convolution with one channel.
    """
    side = pictures.shape[axis]
    total, share = pictures.clone(), torch.ones(side, dtype=torch.float64)
    reach = int(sigma * math.sqrt(-2 * math.log(LEAST_WEIGHT)))
    for tap in range(1, min(reach, side - 1) + 1):
        weight, rest = math.exp(-0.5 * (tap / sigma) ** 2), side - tap
        total.narrow(axis, tap, rest).add_(pictures.narrow(axis, 0, rest), alpha=weight)
        total.narrow(axis, 0, rest).add_(pictures.narrow(axis, tap, rest), alpha=weight)
        share[tap:] += weight
        share[:rest] += weight
    return total.div_(share.to(pictures).view(-1, *[1] * (-1 - axis)))
