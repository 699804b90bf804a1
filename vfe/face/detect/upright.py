"""Upright square crops around faces, and the way back to the frame.

F faces, S crop side. Points are xy. A matrix (F, 2, 3) takes a point of the crop, 0 to 1 on both axes, to pixels of the
frame.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

CROP_SCALE = 1.7
"""The side of a crop over the square root of the area of a face's box.

Forehead, ears and chin stay inside where box and roll are a little wrong. Our own choice.
"""


def roll_of(landmarks: Tensor) -> Tensor:
    """Return the angles in radians by which faces with landmarks (..., 5, 2) are turned, clockwise as seen; 0 is
    upright.

    The line of the eyes and the line from eyes to mouth count by their lengths: in profile the first is short.
    """
    eyes = landmarks[..., 1, :] - landmarks[..., 0, :]
    down = landmarks[..., 3:, :].mean(-2) - landmarks[..., :2, :].mean(-2)
    across = torch.stack([eyes[..., 0] + down[..., 1], eyes[..., 1] - down[..., 0]], dim=-1)
    return torch.atan2(across[..., 1], across[..., 0])


def crop_matrices(boxes: Tensor, rolls: Tensor) -> Tensor:
    """Return the matrices (F, 2, 3) of crops around boxes (F, 4) xyxy that turn faces of `rolls` (F,) radians
    upright.
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1).prod(-1).sqrt() * CROP_SCALE
    cos, sin = rolls.cos() * sides, rolls.sin() * sides
    linear = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return torch.cat([linear, (centres - linear.sum(-1) / 2)[..., None]], dim=-1)


def apply(matrices: Tensor, points: Tensor) -> Tensor:
    """Take points (F, K, 2) of crops to pixels of the frame."""
    return points @ matrices[:, :, :2].transpose(1, 2) + matrices[:, None, :, 2]


def sampling_grid(matrix: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Take the points (x, y) of columns (w,) and rows (h,) by a matrix (2, 3) to where `grid_sample` looks: (1, h, w,
    2) float32.

    The matrix takes them to a picture, 0 to 1 on both axes. Each axis is computed in the matrix's precision and the sum
    of both in float32: a thousandth of a pixel is right in frames of 8K, and it takes a third of the time.
    """
    columns, rows = matrix[:, 0] * x[:, None], matrix[:, 1] * y[:, None] + matrix[:, 2]
    return ((columns * 2).float()[None] + (rows * 2 - 1).float()[:, None])[None]


def invert(matrices: Tensor) -> Tensor:
    """Return the matrices (F, 2, 3) that take pixels of the frame to points of the crops."""
    linear = torch.linalg.inv(matrices[:, :, :2])
    return torch.cat([linear, -linear @ matrices[:, :, 2:]], dim=-1)


def unit_grid(side: int, device: torch.device) -> Tensor:
    """Return the centres (S, S, 2) xy of the pixels of a crop, 0 to 1."""
    at = (torch.arange(side, device=device) + 0.5) / side
    return torch.stack(torch.meshgrid(at, at, indexing="xy"), dim=-1)


def take_crops(frame: Tensor, matrices: Tensor, side: int) -> Tensor:
    """Cut crops (F, 3, S, S) out of a frame (3, H, W); they are 0 outside of the frame.

    Crops that are much larger than S are taken from a smaller copy of the frame, so that nothing aliases.
    """
    height, width = frame.shape[-2:]
    flat = rearrange(unit_grid(side, frame.device), "h w xy -> (h w) xy").expand(len(matrices), -1, -1)
    positions = apply(matrices, flat) / torch.tensor([width, height], device=frame.device) * 2 - 1
    grids = rearrange(positions, "f (h w) xy -> f h w xy", h=side)
    steps = torch.linalg.det(matrices[:, :, :2]).abs().sqrt() / side  # pixels of the frame per pixel of the crop
    halvings = (steps.clamp(min=1).log2() + 0.3).floor().int().tolist()
    crops = frame.new_empty(len(matrices), frame.shape[0], side, side)
    for times in sorted(set(halvings)):
        chosen = [index for index, own in enumerate(halvings) if own == times]
        times = min(times, max(min(height, width).bit_length() - 3, 0))
        small = F.avg_pool2d(frame[None], 2**times, ceil_mode=True) if times else frame[None]
        # Averaging with a remainder moves the border: the grid is that of the whole cells.
        scale = torch.tensor([width, height], device=frame.device) / (
            torch.tensor([small.shape[-1], small.shape[-2]], device=frame.device) * 2**times
        )
        grid = (grids[chosen] + 1) * scale - 1
        crops[chosen] = F.grid_sample(small.expand(len(chosen), -1, -1, -1), grid, align_corners=False)
    return crops


def put_back(crop: Tensor, matrix: Tensor, height: int, width: int) -> Tensor:
    """Return a map (S, S) of a crop as seen on the frame: (H, W), 0 outside of the crop."""
    whole = crop.new_zeros(height, width)
    corners = apply(matrix[None], crop.new_tensor([[[0, 0], [1, 0], [0, 1], [1, 1]]]))[0]
    left, top = (max(int(value), 0) for value in corners.amin(0).floor())
    right, bottom = (
        min(int(value), limit) for value, limit in zip(corners.amax(0).ceil(), (width, height), strict=True)
    )
    if right <= left or bottom <= top:
        return whole
    y = torch.arange(top, bottom, device=crop.device, dtype=torch.float32) + 0.5
    x = torch.arange(left, right, device=crop.device, dtype=torch.float32) + 0.5
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    positions = apply(invert(matrix[None]), rearrange(grid, "h w xy -> 1 (h w) xy")) * 2 - 1
    grid = rearrange(positions, "1 (h w) xy -> 1 h w xy", h=bottom - top)
    whole[top:bottom, left:right] = F.grid_sample(crop[None, None], grid, align_corners=False)[0, 0]
    return whole
