"""Where footage stands still, what is restored of it stands still too.

A model makes something a little different of the same picture each time, so that what has not moved would shimmer: a
wall behind somebody who talks, and all that a codec has skipped. So what restoring has changed is averaged with its
changes in the frames before and after, where the footage changes by less than a level from one to the next. The
averages run forwards and then backwards through a window, so that they are not late. As changes are averaged and not
pictures, what was left alone stays as it was, grain and slow fades with it. Our own choice, in neither paper.

B batch, H W sides, h w blocks along them; frames are (3, H, W) or (B, 3, H, W) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 8
"""Pixels along the blocks whose mean change is looked at."""
TOLERANCE = 1.0
"""Levels of 255: what changes by that much from frame to frame gets 1 / e of what it would get if it stood still."""
SHARE = 0.67
"""How much of its change a frame gets from its neighbour, each way, where nothing moves at all."""
LEAST = 0.01
"""Less than this share is none: what moves keeps its pixels to the bit, and costs little."""


@torch.inference_mode()
def keep_still_(frames: Sequence[Tensor], restored: Sequence[Tensor]) -> None:
    """Average what restoring changed with what it changed in the frame before, and then in the one after.

    That is done in the memory of the restored frames: c = c + s (c' - c) with c = restored - frame.
    """
    frames = [frame.to(new) for frame, new in zip(frames, restored, strict=True)]
    steps = [(t, t + 1, share_of_neighbour(*pair)) for t, pair in enumerate(pairwise(frames))]
    still = [step for step in steps if step[-1].any()]
    both_ways = [*still, *((later, earlier, share) for earlier, later, share in reversed(still))]
    for source, target, share in both_ways:
        expected = (frames[target] - frames[source]).add_(restored[source]).clamp_(-1, 1)
        restored[target].lerp_(expected, _of_pixels(share, expected))


def share_of_neighbour(now: Tensor, then: Tensor) -> Tensor:
    """Return how much of each other's change two frames get: (B, 1, h, w), 0 where they differ to SHARE."""
    difference = (then - now).abs_().reshape(-1, *now.shape[-3:])
    levels = F.avg_pool2d(difference, BLOCK, ceil_mode=True).mean(1, keepdim=True) * 127.5
    share = SHARE * torch.exp(-((levels / TOLERANCE) ** 2))
    return torch.where(share >= LEAST, share, 0)


def _of_pixels(share: Tensor, frame: Tensor) -> Tensor:
    """Return the shares of a frame's pixels, (1, H, W) or (B, 1, H, W)."""
    height, width = frame.shape[-2:]
    smooth = F.interpolate(share, scale_factor=BLOCK, mode="bilinear", align_corners=False)[..., :height, :width]
    return smooth.reshape(*frame.shape[:-3], 1, height, width)
