"""Small clips of a face, as scorers get them."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from vfe.curation.clip import FaceClip


def flat_clip(frames: int = 10, side: int = 64, fps: float = 25.0) -> FaceClip:
    """A clip in which each frame is a little brighter than the last, with a face box in the middle."""
    levels = torch.linspace(40, 200, frames).byte()
    return face_clip(levels[:, None, None, None].repeat(1, side, side, 3), fps=fps)


def face_clip(frames: Tensor, share: float = 0.6, face_px: float | None = None, fps: float = 25.0) -> FaceClip:
    """A clip of frames (T, S, S, 3) uint8 with a still face in the middle, `share` of the side wide, seen frontally."""
    count, side = frames.shape[:2]
    reach = share * side / 2
    middle = side / 2
    unit = torch.tensor([[-0.4, -0.3], [0.4, -0.3], [0.0, 0.1], [-0.3, 0.5], [0.3, 0.5]])
    return FaceClip(
        frames=frames,
        boxes=torch.tensor([middle - reach, middle - reach, middle + reach, middle + reach]).repeat(count, 1),
        landmarks=(unit * reach + middle).repeat(count, 1, 1),
        confidence=torch.ones(count),
        face_px=face_px or 2 * reach,
        fps=fps,
    )


def of_planes(planes: Tensor) -> Tensor:
    """Frames (T, S, S, 3) uint8 of planes (T, 3, S, S) in [-1, 1]."""
    return rearrange(((planes + 1) * 127.5).round().clamp(0, 255).byte(), "t c h w -> t h w c")
