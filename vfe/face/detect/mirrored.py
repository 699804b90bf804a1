"""Both nets look at a picture and at its mirror image, and the answers are averaged: fewer mistakes for twice the time.

B frames, N cells, F crops, S crop side.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from einops import rearrange
from torch import Tensor

from .net import STRIDES, Cells, Closeup, Detector, Refiner

Answers = TypeVar("Answers", Cells, Closeup)

MIRRORED_LANDMARKS = [1, 0, 2, 4, 3]
"""The order of the landmarks in a mirror image, where the eye and mouth corner on the left are on the right."""


def mirrored(pictures: Tensor) -> Tensor:
    """Return pictures (..., W) with left and right exchanged, in the memory layout that convolutions are
    fastest with.
    """
    return pictures.flip(-1).contiguous(memory_format=torch.channels_last)


def _with_mirrored(pictures: Tensor) -> Tensor:
    """Return pictures and their mirror images as one batch: a small net takes hardly longer for two than for one."""
    return torch.cat([pictures, pictures.flip(-1)]).contiguous(memory_format=torch.channels_last)


def _halves(answers: Answers) -> tuple[Answers, Answers]:
    """Return what was said of the pictures, and what of their mirror images."""
    first, second = zip(*(answer.chunk(2) for answer in answers), strict=True)
    return type(answers)(*first), type(answers)(*second)


def detect_both(detector: Detector, frames: Tensor) -> Cells:
    """Return the detector's cells for frames (B, 3, H, W) with sides that are multiples of 64.

    The score of a cell is the mean of its logit and of that of the same cell in the mirror image; boxes and landmarks
    are those of the frame itself.
    """
    cells, other = _halves(detector(_with_mirrored(frames)))
    back = mirrored_scores(other.scores, frames.shape[-2], frames.shape[-1])
    return Cells((cells.scores + back) / 2, cells.boxes, cells.landmarks)


def mirrored_scores(scores: Tensor, height: int, width: int) -> Tensor:
    """Return the scores (B, N) of a mirrored frame in the order of the frame's own cells."""
    rows = [(height // stride, width // stride) for stride in STRIDES]
    levels = scores.split([high * wide for high, wide in rows], dim=1)
    flipped = [
        rearrange(level, "b (h w) -> b h w", h=high).flip(-1) for level, (high, _) in zip(levels, rows, strict=True)
    ]
    return torch.cat([rearrange(level, "b h w -> b (h w)") for level in flipped], dim=1)


def refine_both(refiner: Refiner, crops: Tensor) -> Closeup:
    """Return the means of what the refiner says of crops (F, 3, S, S) and of their mirror images."""
    seen, other = _halves(refiner(_with_mirrored(crops)))
    landmarks = torch.stack([1 - other.landmarks[..., 0], other.landmarks[..., 1]], dim=-1)[:, MIRRORED_LANDMARKS]
    return Closeup(
        (seen.scores + other.scores) / 2, (seen.landmarks + landmarks) / 2, (seen.mask + other.mask.flip(-1)) / 2
    )
