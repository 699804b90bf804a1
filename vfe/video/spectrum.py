"""How fine a picture is resolved: the highest frequency at which its spectrum stands out of its floor.

An enlarged picture keeps its low cut-off, and noise raises the floor, so that neither is taken for detail, as measures
of gradients do. Our own measure.

N pictures, s side of a square, f frequencies.
"""

from __future__ import annotations

import torch
from torch import Tensor

OVER_FLOOR = 10.0
"""From so many times the floor on, a frequency is there."""
LEAST_NOISE = 1.2
"""Levels of 255 of white noise that make the least floor: a blur that takes noise away brings no detail."""
FLOOR_SHARE = 1 / 16
"""The outermost frequencies, which make the floor."""


def cut_off(luma: Tensor) -> Tensor:
    """Return the cut-off frequency of each square (N, s, s) in levels of 255, in cycles per side: (N,)."""
    side = luma.shape[-1]
    return cut_off_of(radial_mean(power_of(luma), side), side)


def power_of(luma: Tensor) -> Tensor:
    """Return the power of windowed squares (N, s, s) without their means, as a half spectrum (N, s, s // 2 + 1)."""
    window = torch.hann_window(luma.shape[-1], device=luma.device)
    return torch.fft.rfft2((luma - luma.mean((1, 2), keepdim=True)) * window[:, None] * window).abs().square()


def cut_off_of(radial: Tensor, side: int) -> Tensor:
    """Return the cut-off of radial means (N, f) of the power of squares of that side: (N,)."""
    floor = radial[:, -max(round(radial.shape[1] * FLOOR_SHARE), 1) :].median(1).values
    least = (LEAST_NOISE * torch.hann_window(side).square().sum()).square()  # the power of white noise in the window
    there = radial > OVER_FLOOR * floor.clamp(min=float(least))[:, None]
    return (there * torch.arange(radial.shape[1], device=radial.device)).amax(1).float()


def radial_mean(power: Tensor, side: int) -> Tensor:
    """Return the mean of a half spectrum (N, s, s // 2 + 1) at each whole frequency, up to Nyquist's: (N, f)."""
    down, across = torch.fft.fftfreq(side) * side, torch.fft.rfftfreq(side) * side
    radius = (down[:, None].square() + across.square()).sqrt().round().long().flatten().to(power.device)
    ones = torch.ones(len(radius), device=power.device)
    count = torch.zeros(int(radius.max()) + 1, device=power.device).index_add_(0, radius, ones)
    total = torch.zeros(len(power), len(count), device=power.device).index_add_(1, radius, power.flatten(1))
    return (total / count)[:, : side // 2 + 1]
