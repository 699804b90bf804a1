"""Both nets on a picture and on its mirror image, averaged: fewer mistakes for twice the time.

B frames, N cells, F crops, S crop side.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from .net import STRIDES, Cells, Closeup, Detector, Refiner

MIRRORED_LANDMARKS = [1, 0, 2, 4, 3]
"""Image-left eye and mouth corner are image-right in the mirror."""


def mirrored(pictures: Tensor) -> Tensor:
    """Left and right exchanged, in the memory layout that convolutions like."""
    return pictures.flip(-1).contiguous(memory_format=torch.channels_last)


def detect_both(detector: Detector, frames: Tensor) -> Cells:
    """The detector's cells for (B, 3, H, W) with sides that are multiples of 64; each score is the mean of the logits
    of the cell and of its mirror image."""
    cells, other = detector(frames), detector(mirrored(frames))
    back = mirrored_scores(other.scores, frames.shape[-2], frames.shape[-1])
    return Cells((cells.scores + back) / 2, cells.boxes, cells.landmarks)


def mirrored_scores(scores: Tensor, height: int, width: int) -> Tensor:
    """Scores (B, N) of a mirrored frame as those of the frame's own cells."""
    rows = [(height // stride, width // stride) for stride in STRIDES]
    levels = scores.split([high * wide for high, wide in rows], dim=1)
    flipped = [
        rearrange(level, "b (h w) -> b h w", h=high).flip(-1) for level, (high, _) in zip(levels, rows, strict=True)
    ]
    return torch.cat([rearrange(level, "b h w -> b (h w)") for level in flipped], dim=1)


def refine_both(refiner: Refiner, crops: Tensor) -> Closeup:
    """Means of logits and landmarks for (F, 3, S, S) and its mirror image."""
    seen, other = refiner(crops), refiner(mirrored(crops))
    landmarks = torch.stack([1 - other.landmarks[..., 0], other.landmarks[..., 1]], dim=-1)[:, MIRRORED_LANDMARKS]
    return Closeup(
        (seen.scores + other.scores) / 2, (seen.landmarks + landmarks) / 2, (seen.mask + other.mask.flip(-1)) / 2
    )
