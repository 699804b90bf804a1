"""Aligned faces: eyes, nose and mouth of every face come to lie where a template has them.

F faces or frames, S crop side. Points are xy. A matrix (F, 2, 3) takes a point of the crop, 0 to 1 on both axes, to
pixels of the frame, as in `upright`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ..detect.upright import apply, invert, unit_grid
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


def take_aligned(frame: Tensor, matrix: Tensor, side: int = ALIGNED_SIDE) -> Tensor:
    """Cut an aligned crop (C, S, S) out of a frame (C, H, W) by bicubic interpolation.

    It is antialiased where it shrinks. Beyond the frame, the frame is mirrored.
    """
    matrix = matrix.to(frame.device)
    step = float(torch.linalg.det(matrix[:, :2]).abs().sqrt()) / side
    picture, (left, top) = _surroundings(frame, matrix, step)
    flat = rearrange(unit_grid(side, frame.device), "h w xy -> 1 (h w) xy").double()
    positions = apply(matrix[None], flat) - matrix.new_tensor([left, top])
    positions = positions / matrix.new_tensor([picture.shape[-1], picture.shape[-2]]) * 2 - 1
    grid = rearrange(positions, "1 (h w) xy -> 1 h w xy", h=side).to(frame.dtype)
    softened = soften(picture[None], step)
    return F.grid_sample(softened, grid, mode="bicubic", padding_mode="reflection", align_corners=False)[0]


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


def put_aligned(crop: Tensor, matrix: Tensor, height: int, width: int) -> tuple[Area, Tensor]:
    """Return the area of a frame of `height` and `width` that a crop (C, S, S) covers, and its pixels (C, h, w) there.

    The interpolation is bicubic; pixels of the area that are outside of the crop are 0.
    """
    corners = apply(matrix[None], matrix.new_tensor([[[0, 0], [1, 0], [0, 1], [1, 1]]]))[0]
    (left, top), (right, bottom) = corners.amin(0).floor().int().tolist(), corners.amax(0).ceil().int().tolist()
    area = Area(max(top, 0), max(min(bottom, height), 0), max(left, 0), max(min(right, width), 0))
    rows, columns = max(area.bottom - area.top, 0), max(area.right - area.left, 0)
    if not rows or not columns:
        return Area(0, 0, 0, 0), crop.new_zeros(len(crop), 0, 0)
    x = torch.arange(columns, dtype=torch.float64) + area.left + 0.5
    y = torch.arange(rows, dtype=torch.float64) + area.top + 0.5
    points = rearrange(torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1), "h w xy -> 1 (h w) xy")
    positions = rearrange(apply(invert(matrix[None]), points), "1 (h w) xy -> h w xy", h=rows)
    step = crop.shape[-1] / float(torch.linalg.det(matrix[:, :2]).abs().sqrt())
    grid = (positions * 2 - 1).to(crop)[None]
    put = F.grid_sample(soften(crop[None], step), grid, mode="bicubic", padding_mode="border", align_corners=False)[0]
    inside = ((positions > 0) & (positions < 1)).all(-1).to(crop.device)
    return area, put * inside


def soften(pictures: Tensor, step: float) -> Tensor:
    """Blur pictures (..., H, W) so that every `step`-th pixel stands for all: as much as a box of that many pixels
    would.
    """
    if step <= 1:
        return pictures
    sigma = math.sqrt((step**2 - 1) / 12)
    rows, columns = (_gaussian(side, sigma).to(pictures) for side in pictures.shape[-2:])
    return rows @ pictures @ columns.T


def _gaussian(side: int, sigma: float) -> Tensor:
    """Return a blur along an axis as a matrix (side, side), whose product is ten times faster on a CPU than a
    convolution.
    """
    at = torch.arange(side, dtype=torch.float64)
    weights = torch.exp(-0.5 * ((at[:, None] - at) / sigma) ** 2)
    return weights / weights.sum(1, keepdim=True)
