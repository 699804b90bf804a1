"""Some frames of each clip of a batch, for losses that cost more than neighbouring frames are worth: they say the same.

B batch, T H W frames.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..run.stage import Draw


def drawn_frames(clips: int, frames: int, count: int, draw: Draw) -> Tensor:
    """The numbers (clips, n) of `count` frames of each clip, evenly spread and all different, or of all where it has
    fewer."""
    first = (draw.uniform(clips) * frames).long()
    count = min(count, frames)
    return (first[:, None] + torch.arange(count) * frames // count) % frames


def take_frames(video: Tensor, chosen: Tensor) -> Tensor:
    """The `chosen` frames (B, n) of video (B, C, T, H, W), as (B, C, n, H, W)."""
    clips = torch.arange(len(video), device=video.device)[:, None]
    return video.transpose(1, 2)[clips, chosen.to(video.device)].transpose(1, 2)
