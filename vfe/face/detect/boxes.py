"""Measures of how boxes overlap, and non-maximum suppression.

A box is (left, top, right, bottom) in pixels. N and M count boxes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Return the intersection over union of every pair of (N, 4) and (M, 4) boxes: (N, M), 0 to 1."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    common = (high - low).clamp(min=0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - common
    return common / union.clamp(min=1e-6)


def intersection_over_smaller(first: Tensor, second: Tensor) -> Tensor:
    """Return the intersection over the area of the smaller box for every pair of (N, 4) and (M, 4) boxes: (N, M).

    It is 1 where one box is inside of the other, however much smaller it is.
    """
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1) for boxes in (first, second)]
    smaller = torch.minimum(areas[0][:, None], areas[1][None])
    return (high - low).clamp(min=0).prod(-1) / smaller.clamp(min=1e-6)


def suppress(boxes: Tensor, scores: Tensor, iou_threshold: float, inside_threshold: float = 1.0) -> Tensor:
    """Return the indices, best score first, of the boxes (N, 4) that survive non-maximum suppression.

    A box goes where its IoU with a better one that stays is above `iou_threshold`, or where more than the part
    `inside_threshold` of one of the two is inside of the other.
    """
    order = scores.argsort(descending=True, stable=True)
    ordered = boxes[order]
    inside = intersection_over_smaller(ordered, ordered).clamp(max=1)
    rivals = (iou(ordered, ordered) > iou_threshold) | (inside > inside_threshold)
    kept: list[int] = []
    for index, row in enumerate(rivals.tolist()):
        if not any(row[better] for better in kept):
            kept.append(index)
    return order[kept]
