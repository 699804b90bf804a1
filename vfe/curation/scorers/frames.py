"""The frames of a clip that a model is shown.

T frames of the clip, S side of its crop; N frames are shown, N <= T.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from ...video.resize import resize
from ..clip import FaceClip


@dataclass(frozen=True, kw_only=True)
class ShownFrames:
    """How much of a clip is shown. Raises ValueError for values that make no sense."""

    count: int = 8
    """Frames, evenly spaced from the first to the last: our own choice, as the paper gives no number."""
    side: int = 512
    """The longest side in pixels; smaller crops are not enlarged."""

    def __post_init__(self) -> None:
        if self.count < 1 or self.side < 32:
            raise ValueError(f"{self.count} frames of {self.side} pixels: needed 1 or more of 32 or more pixels")


class Shown(NamedTuple):
    """Pictures (N, 3, s, s) in [-1, 1], and the seconds from one to the next."""

    pictures: Tensor
    seconds: float


def spread(total: int, count: int) -> list[int]:
    """Return up to `count` of the numbers 0 to `total` - 1, evenly spaced; both ends are among them."""
    if count == 1 or total == 1:
        return [(total - 1) // 2]
    steps = min(count, total) - 1
    return [round(step * (total - 1) / steps) for step in range(steps + 1)]


def shown_frames(clip: FaceClip, how: ShownFrames) -> Shown:
    """Return the frames of a clip to show."""
    chosen = spread(len(clip.frames), how.count)
    pixels = rearrange(clip.frames[chosen], "n h w c -> n c h w").float() / 127.5 - 1
    side = min(how.side, clip.side)
    pictures = torch.stack([resize(picture, (side, side)) for picture in pixels])
    steps = max(len(chosen) - 1, 1)
    return Shown(pictures, (chosen[-1] - chosen[0]) / steps / clip.fps)
