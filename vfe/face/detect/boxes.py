"""Boxes: xyxy in pixels. N boxes."""

from __future__ import annotations

import torch
from torch import Tensor


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of every pair: (N, 4) and (M, 4) -> (N, M)."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    common = (high - low).clamp(min=0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - common
    return common / union.clamp(min=1e-6)


def intersection_over_smaller(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over the smaller area of every pair, 1 for a box inside of another: (N, 4) and (M, 4) -> (N, M)."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1) for boxes in (first, second)]
    smaller = torch.minimum(areas[0][:, None], areas[1][None])
    return (high - low).clamp(min=0).prod(-1) / smaller.clamp(min=1e-6)


def suppress(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Indices, best first, of boxes that no better kept box overlaps by more than `iou_threshold`."""
    order = scores.argsort(descending=True, stable=True)
    rivals = iou(boxes[order], boxes[order]) > iou_threshold
    kept: list[int] = []
    for index, row in enumerate(rivals.tolist()):
        if not any(row[better] for better in kept):
            kept.append(index)
    return order[kept]
