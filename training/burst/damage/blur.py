"""Blur by its transfer function: any Gaussian, a motion, and what a camera's pixels average, in one product.

B batch, T H W frames, sigma and length in pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

MIRRORED_MARGIN = 32  # pixels of mirrored border: a Fourier transform would blur across to the other side


class Blur(NamedTuple):
    """The blur of each clip; every field is (B,)."""

    sigma: Tensor
    """Along the longer axis."""
    ratio: Tensor
    """The ratio of the shorter axis to the longer one."""
    angle: Tensor
    """The direction of the longer axis in radians."""
    length: Tensor
    """The length of a steady motion while the shutter is open, along the same axis."""


def transfer(blur: Blur, height: int, width: int) -> Tensor:
    """The transfer function of a blur, (B, H, W / 2 + 1); it is real, as the kernels are even."""
    device = blur.sigma.device
    fy = torch.fft.fftfreq(height, device=device)[:, None]
    fx = torch.fft.rfftfreq(width, device=device)[None]
    cos, sin = (value(blur.angle)[:, None, None] for value in (torch.cos, torch.sin))
    along, across = cos * fx + sin * fy, cos * fy - sin * fx
    sigma, ratio, length = (value[:, None, None] for value in (blur.sigma, blur.ratio, blur.length))
    gauss = torch.exp(-2 * (torch.pi * sigma) ** 2 * (along**2 + (ratio * across) ** 2))
    return gauss * torch.sinc(length * along)


def apply_blur(video: Tensor, blur: Blur) -> Tensor:
    """Blur each frame of clips (B, T, 3, H, W), in float32."""
    batch, frames = video.shape[:2]
    padded = F.pad(video.flatten(0, 1), (MIRRORED_MARGIN,) * 4, mode="reflect").unflatten(0, (batch, frames))
    height, width = padded.shape[-2:]
    spectrum = torch.fft.rfft2(padded) * transfer(blur, height, width)[:, None, None]
    return torch.fft.irfft2(spectrum, s=(height, width))[
        ..., MIRRORED_MARGIN:-MIRRORED_MARGIN, MIRRORED_MARGIN:-MIRRORED_MARGIN
    ]
