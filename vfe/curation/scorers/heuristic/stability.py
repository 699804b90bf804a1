"""Stability: frames that are blurred while others are sharp, a camera that shakes, light that flickers, lost frames.

T frames, S side of the crop, p side of the small copies that are compared.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from einops import rearrange, reduce
from torch import Tensor
from torch.nn import functional as F

from ....luma import LUMA
from ...clip import FaceClip
from .curve import falling
from .faces import sampled_faces
from .picture import blurred

SMALL_SIDE = 96
STEPS = 4
"""Steps of the search for a displacement; four bring it to a hundredth of a pixel."""
BORDER = 6
"""Pixels of a small copy that are not compared, as what comes in over the border was not there before."""
MOST_FRAMES = 33
STILL, AROUND = 0.15, 4
"""A frame that differs from the one before by less than this part of what so many frames around it do is that one
again."""
SOFT_HALF, SHAKE_HALF, FLICKER_HALF, REPEAT_HALF = 1.6, 4.0, 8.0, 0.5


def stability(clip: FaceClip) -> float:
    """Return the points for stability, 0 to 1. A single picture has them all."""
    if len(clip.frames) < 3:
        return 1.0
    small = small_copies(clip)
    points = falling(softest(clip), SOFT_HALF) * falling(shake(small, clip), SHAKE_HALF, 1.5)
    return points * falling(flicker(small), FLICKER_HALF, 1.5) * falling(repeated(clip), REPEAT_HALF, 1.5)


def small_copies(clip: FaceClip) -> Tensor:
    """Return the brightness of all frames, made small: (T, p, p) from 0 to 255."""
    side = min(SMALL_SIDE, clip.side)
    small = [
        F.interpolate(rearrange(frame, "h w c -> 1 c h w").float(), (side, side), mode="area") for frame in clip.frames
    ]
    return torch.einsum("tchw,c->thw", torch.cat(small), torch.tensor(LUMA))


def softest(clip: FaceClip) -> float:
    """Return how much the softest frame is softer than the median, as the logarithm of the fine detail's power."""
    luma = sampled_faces(clip, MOST_FRAMES).luma
    fine = (blurred(luma, 1.0) - blurred(luma, 2.0)).square().mean((1, 2))
    sharpness = (fine.clamp(min=1e-3) / blurred(luma, 4.0).var((1, 2)).clamp(min=1e-3)).log()
    return float(sharpness.median() - sharpness.min())


def shake(small: Tensor, clip: FaceClip) -> float:
    """Return the mean change of the picture's speed from frame to frame, in hundredths of the face's width.

    A head that turns and a camera that pans change their speed little; a hand that shakes does nothing else.
    """
    moved = torch.stack([displacement(first, second) for first, second in pairwise(small)])
    width = float((clip.boxes[:, 2] - clip.boxes[:, 0]).median()) * small.shape[-1] / clip.side
    return float(moved.diff(dim=0).norm(dim=1).mean()) / max(width, 1.0) * 100


def displacement(first: Tensor, second: Tensor) -> Tensor:
    """Return by how many pixels, across and down, the second picture (p, p) has moved (Lucas and Kanade 1981): (2,)."""
    side, moved = first.shape[-1], torch.zeros(2)
    start, goal = blurred(first[None], 1.0)[0], blurred(second[None], 1.0)
    inside = slice(BORDER, side - BORDER)
    for _ in range(STEPS):
        theta = torch.cat([torch.eye(2), moved[:, None] * 2 / side], 1)[None]
        grid = F.affine_grid(theta, [1, 1, side, side], align_corners=False)
        back = F.grid_sample(goal[None], grid, padding_mode="border", align_corners=False)[0, 0]
        down, across = torch.gradient((start + back) / 2)
        slopes = torch.stack([across[inside, inside].flatten(), down[inside, inside].flatten()])
        left = (start - back)[inside, inside].flatten()
        step = torch.linalg.solve(slopes @ slopes.T + torch.eye(2), slopes @ left)
        moved = (moved + step).clamp(-side / 4, side / 4)
    return moved


def flicker(small: Tensor) -> float:
    """Return the mean second difference of the brightness, in hundredths of it."""
    level = reduce(small, "t h w -> t", "mean")
    return float(level.diff(n=2).abs().mean() / level.mean().clamp(min=1)) * 100


def repeated(clip: FaceClip) -> float:
    """Return the share of frames that show the one before again, while the frames around them move."""
    pairs = pairwise(clip.frames)
    changes = torch.stack([(after.float() - before.float()).abs().mean() for before, after in pairs])
    around = F.max_pool1d(changes[None], 2 * AROUND + 1, 1, AROUND)[0]
    return float((changes < STILL * around).float().mean())
