"""Frames are resized."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def resize(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize pixels (C, H, W) to `size` (width, height): bicubic, antialiased where it shrinks, within their own range.

    Pixels that have the size already are returned as they are.
    """
    width, height = size
    if pixels.shape[1:] == (height, width):
        return pixels
    resized = F.interpolate(pixels[None], (height, width), mode="bicubic", antialias=True)[0]
    return resized.clamp(pixels.min(), pixels.max())
