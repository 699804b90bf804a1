"""The same pictures, cut at another place each step, for losses by networks that look through strides.

A strided convolution sees some pixels of a lattice better than others, and what learns by it weaves that lattice into
its pictures. E-LPIPS (Kettunen et al. 2019) moves pictures for the same reason.

B batch, T H W frames.
"""

from __future__ import annotations

from torch import Tensor

from ..run.stage import Draw

LATTICE = 8
"""Pixels by which a cut is smaller than the picture: the lattice of three strides of two."""


def shifted(draw: Draw, *videos: Tensor) -> tuple[Tensor, ...]:
    """Videos (B, C, T, H, W), all cut at one place of the LATTICE^2 that there are: (B, C, T, H - 8, W - 8)."""
    top, left = (int(draw.common() * LATTICE) for _ in range(2))
    height, width = (side - LATTICE for side in videos[0].shape[-2:])
    return tuple(video[..., top : top + height, left : left + width] for video in videos)
