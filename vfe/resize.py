"""Resizing of frames."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def resize(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """(C, H, W) in [-1, 1] to `size` = (width, height): bicubic, antialiased where it shrinks; itself if it fits."""
    width, height = size
    if pixels.shape[1:] == (height, width):
        return pixels
    return F.interpolate(pixels[None], (height, width), mode="bicubic", antialias=True)[0].clamp(-1, 1)
