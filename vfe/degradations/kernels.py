"""Blur kernels of Real-ESRGAN (Wang et al. 2021, section 3.2): gaussians, their generalised and plateau forms, sinc.

T kernels at once, each (k, k), point-symmetric, of sum one.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

BellShape = Literal["gaussian", "generalised", "plateau"]


def bell(shape: BellShape, sigma_x: Tensor, sigma_y: Tensor, angle: float, beta: float, size: int) -> Tensor:
    """Kernels (T, k, k) with axes of `sigma_x`, `sigma_y` pixels (T,), turned by `angle` radians.

    With d the squared distance in sigmas: gaussian exp(-d/2), generalised exp(-d^beta/2), plateau 1/(1+d^beta).
    """
    y, x = _offsets(size)
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    distance = (along / sigma_x[:, None, None]) ** 2 + (across / sigma_y[:, None, None]) ** 2
    if shape == "plateau":
        return _of_sum_one(1 / (1 + distance**beta))
    return _of_sum_one(torch.exp(-0.5 * (distance if shape == "gaussian" else distance**beta)))


def sinc(cutoff: float, size: int) -> Tensor:
    """The kernel (1, k, k) of an ideal low-pass that ends at `cutoff` radians per pixel; it rings, as sharpened and
    resized video does."""
    y, x = _offsets(size)
    radius = torch.sqrt(x * x + y * y).clamp(min=1e-6)
    kernel = cutoff * torch.special.bessel_j1(cutoff * radius) / (2 * math.pi * radius)
    kernel[size // 2, size // 2] = cutoff**2 / (4 * math.pi)
    return _of_sum_one(kernel[None])


def _offsets(size: int) -> tuple[Tensor, Tensor]:
    line = torch.arange(size, dtype=torch.float64) - size // 2
    return line[:, None].expand(size, size), line[None].expand(size, size)


def _of_sum_one(kernels: Tensor) -> Tensor:
    return (kernels / kernels.sum((1, 2), keepdim=True)).float()
