"""The same pictures turned, recoloured and made smaller, for losses by a network that is easily fooled.

What learns by the features of one small network finds changes that please it and nobody else. E-LPIPS (Kettunen et al.
2019) therefore compares pictures through random transformations, of which these are some: the eight symmetries of a
square, the order of the colours, and the size. Two pictures that look alike look alike through all of them.

N images, h w sides.
"""

from __future__ import annotations

from itertools import permutations

import torch.nn.functional as F
from torch import Tensor

from ..run.stage import Draw

COLOUR_ORDERS = tuple(permutations(range(3)))
SMALLEST = 0.5
"""The least of the sides that pictures are made smaller to, over theirs; half of the steps leave the size alone."""
SIZE_STEP = 32
"""Pixels: few sizes, as kernels are chosen for each anew."""
PLAIN_SHARE = 0.3
"""Of the steps in which nothing is changed: as people see pictures, it counts most."""


def disguised(draw: Draw, *images: Tensor) -> tuple[Tensor, ...]:
    """Images (N, 3, h, w), all changed in one way that is drawn for the step; smaller, or on their side, at times."""
    plain, turn, order, resized, size = (draw.common() for _ in range(5))
    if plain < PLAIN_SHARE:
        return images
    colours = list(COLOUR_ORDERS[int(order * len(COLOUR_ORDERS))])
    scale = SMALLEST + (1 - SMALLEST) * size if resized < 0.5 else 1.0
    return tuple(_resized(_turned(image[:, colours], int(turn * 8)), scale) for image in images)


def _turned(image: Tensor, symmetry: int) -> Tensor:
    """One of the eight symmetries of a square."""
    if symmetry & 1:
        image = image.flip(-1)
    if symmetry & 2:
        image = image.flip(-2)
    return image.transpose(-1, -2) if symmetry & 4 else image


def _resized(image: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return image
    sides = [max(round(side * scale / SIZE_STEP), 1) * SIZE_STEP for side in image.shape[-2:]]
    return F.interpolate(image, size=sides, mode="bilinear", antialias=True, align_corners=False)
