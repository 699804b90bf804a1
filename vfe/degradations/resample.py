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


def even(size: float) -> int:
    """Nearest even integer, at least 2: 4:2:0 video needs even sides."""
    return max(2, 2 * math.floor(size / 2 + 0.5))
