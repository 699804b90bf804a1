"""What a face looks like, so that it is known again: the colours of its parts, inside of its region only.

This is not the look of a person as face recognition knows it, but enough to tell apart who is in one shot, under one
light. F faces, S side of the crops, K = APPEARANCE_CELLS squared parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ..detect.detector import CloseFace
from ..detect.upright import apply, crop_matrices, invert, roll_of, take_crops, unit_grid

APPEARANCE_CELLS = 6
"""Parts of a face along each axis."""
APPEARANCE_SIDE = 48
"""The side in pixels of the crops that are described."""
OPPONENT = ((0.209, 0.411, 0.080), (1.0, -0.838, -0.162), (-0.338, -0.662, 1.0))
"""The colour axes in rows: brightness, which changes most within a shot and counts least, and red and blue against it.

Our own choice.
"""


class Appearance(NamedTuple):
    """The mean colours of the parts of an upright face, and how far each part is inside of the face and the frame."""

    colours: Tensor  # (3, K)
    inside: Tensor  # (K,)


def describe(frame: Tensor, faces: Sequence[CloseFace]) -> list[Appearance]:
    """Return how faces look on a frame (3, H, W) in [-1, 1]."""
    if not faces:
        return []
    boxes = torch.stack([close.face.box for close in faces])
    matrices = crop_matrices(boxes, roll_of(torch.stack([close.face.landmarks for close in faces])))
    crops = take_crops(frame.to(boxes), matrices, APPEARANCE_SIDE)  # (F, 3, S, S)
    inside = _regions(faces, matrices, frame.shape[-2:])  # (F, 1, S, S)
    weights = F.adaptive_avg_pool2d(inside, APPEARANCE_CELLS)
    colours = F.adaptive_avg_pool2d(crops * inside, APPEARANCE_CELLS) / weights.clamp(min=1e-3)
    opponent = torch.einsum("ij,fjyx->fiyx", colours.new_tensor(OPPONENT), colours)
    flat = rearrange(opponent, "f c y x -> f c (y x)").cpu()
    return [Appearance(*pair) for pair in zip(flat, rearrange(weights, "f 1 y x -> f (y x)").cpu(), strict=True)]


def difference(first: Appearance, second: Appearance) -> float:
    """Return how different two looks are; 0 is the same look.

    On one person's face within a shot it is 0.02, in 1 of 100 cases above 0.07; between two people it is 0.12, in 1 of
    100 cases below 0.07.
    """
    both = torch.minimum(first.inside, second.inside)
    return float(((first.colours - second.colours).abs().mean(0) * both).sum() / both.sum().clamp(min=1e-3))


def mixed(known: Appearance, new: Appearance, share: float) -> Appearance:
    """Return the appearance `known` with a `share` (0 to 1) of the new one in it."""
    weights = torch.stack([known.inside * (1 - share), new.inside * share])
    colours = torch.stack([known.colours, new.colours], dim=1)  # (3, 2, K)
    mean = (colours * weights).sum(1) / weights.sum(0).clamp(min=1e-6)
    return Appearance(mean, weights.sum(0))


def _regions(faces: Sequence[CloseFace], matrices: Tensor, size: torch.Size) -> Tensor:
    """Return the faces' regions as seen in other crops, 0 outside of the frame: (F, 1, S, S)."""
    flat = rearrange(unit_grid(APPEARANCE_SIDE, matrices.device), "h w xy -> (h w) xy").expand(len(faces), -1, -1)
    positions = apply(matrices, flat)
    own = apply(invert(torch.stack([close.matrix for close in faces])), positions) * 2 - 1
    masks = torch.stack([close.mask for close in faces])[:, None].float()
    seen = F.grid_sample(masks, rearrange(own, "f (h w) xy -> f h w xy", h=APPEARANCE_SIDE), align_corners=False)
    within = ((positions > 0) & (positions < positions.new_tensor([size[1], size[0]]))).all(-1)
    return seen * rearrange(within, "f (h w) -> f 1 h w", h=APPEARANCE_SIDE)
