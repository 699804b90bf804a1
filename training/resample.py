"""Separable image filters as matrices: a blur and a resize along one axis are one product."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=64)
def gaussian_matrix(size: int, sigma: float) -> Tensor:
    """Gaussian blur of `size` samples with mirrored borders: (size, size), rows sum to one; sigma 0 is the identity."""
    radius = max(1, round(3 * sigma)) if sigma > 0 else 0
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2) if sigma > 0 else torch.ones(1)
    source = (torch.arange(size)[:, None] + offsets).abs() % max(2 * size - 2, 1)
    source = torch.where(source >= size, 2 * size - 2 - source, source)
    return torch.zeros(size, size).scatter_add_(1, source, (weights / weights.sum()).expand(size, -1))


@lru_cache(maxsize=256)
def area_matrix(size: int, smaller: int) -> Tensor:
    """Mean over the (fractional) cells of a coarser grid: (smaller, size), as OpenCV's INTER_AREA."""
    cell = size / smaller
    start = torch.arange(smaller, dtype=torch.float64)[:, None] * cell
    pixel = torch.arange(size, dtype=torch.float64)[None]
    overlap = torch.minimum(start + cell, pixel + 1) - torch.maximum(start, pixel)
    return (overlap.clamp(min=0) / cell).float()


@lru_cache(maxsize=256)
def cubic_matrix(size: int, larger: int) -> Tensor:
    """Bicubic interpolation (a = -0.75, clamped borders): (larger, size), as OpenCV's INTER_CUBIC."""
    place = (torch.arange(larger, dtype=torch.float64) + 0.5) * size / larger - 0.5
    base = place.floor()
    matrix = torch.zeros(larger, size, dtype=torch.float64)
    for tap in range(-1, 3):
        distance = (place - base - tap).abs()
        near = 1.25 * distance**3 - 2.25 * distance**2 + 1
        far = -0.75 * (distance**3 - 5 * distance**2 + 8 * distance - 4)
        source = (base.long() + tap).clamp(0, size - 1)
        matrix.scatter_add_(1, source[:, None], torch.where(distance <= 1, near, far)[:, None])
    return matrix.float()


def even(size: float) -> int:
    """Nearest even integer, at least 2: 4:2:0 video needs even sides."""
    return max(2, 2 * math.floor(size / 2 + 0.5))
