"""Which cells of the detector answer for which face.

B frames, N cells, K faces. A face belongs to the level whose stride is nearest to a quarter of its side, and there to
the cells next to its centre. Around these, and on the levels above and below, no answer is wrong.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vfe.face.detect.net import BOX_UNIT, STRIDES

from .batches import NO_FACE, UNSURE_FACE

POSITIVE_RADIUS = 0.8
"""Distance from a face's centre, on each axis and in strides, up to which a cell answers for the face."""
IGNORED_RADIUS = 1.6
"""Distance in strides up to which it may."""


class Targets(NamedTuple):
    """What each cell of the detector should answer."""

    positive: Tensor  # (B, N) bool
    counted: Tensor  # (B, N) bool: whether the score has a right answer
    face: Tensor  # (B, N) index of the face; of no meaning where not positive


def levels_of(sides: Tensor) -> Tensor:
    """The stride (in pixels) of the level of faces with these sides."""
    natural = 2 * BOX_UNIT * STRIDES[0]
    index = torch.log2(sides.clamp(min=1) / natural).round().clamp(0, len(STRIDES) - 1)
    return STRIDES[0] * torch.exp2(index)


def assign(boxes: Tensor, kinds: Tensor, centres: Tensor, strides: Tensor) -> Targets:
    """Boxes (B, K, 4) xyxy and kinds (B, K) to cells with centres (N, 2) and strides (N,)."""
    sides = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1).sqrt()
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    far = (centres[None, :, None] - middle[:, None]).abs().amax(-1)  # (B, N, K)
    octaves = torch.log2(levels_of(sides)[:, None] / strides[None, :, None]).abs()
    real, unsure = (kinds != NO_FACE)[:, None], (kinds == UNSURE_FACE)[:, None]
    own = real & ~unsure & (octaves < 0.5) & (far < POSITIVE_RADIUS * strides[None, :, None])
    reach = torch.maximum(IGNORED_RADIUS * strides[None, :, None], 0.3 * sides[:, None])
    maybe = real & ~unsure & (octaves < 1.5) & (far < reach)
    inside = (centres[None, :, None] > boxes[:, None, :, :2]) & (centres[None, :, None] < boxes[:, None, :, 2:])
    maybe |= unsure & inside.all(-1)
    positive = own.any(-1)
    nearest = torch.where(own, far, torch.full_like(far, math.inf)).argmin(-1)
    return Targets(positive, positive | ~maybe.any(-1), nearest)
