"""Marks of old film: dust and hairs, each in a single frame, and scratches, lines from top to bottom. Our own measures.

Dust is brighter or darker than anything near it in the frames before and after; what moves is between the two. That is
the spike detection index for film (Kokaram 1998), with a neighbourhood in place of motion vectors.

T frames, h w sides of the crop at the size that it had in the source.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from ....luma import LUMA
from ....video.resize import resize
from ...clip import FaceClip
from .curve import falling
from .picture import blurred

MOST_FRAMES = 13
COARSE = 6.0
"""Pixels of the blur that is taken off, so that light which flickers is no dust."""
MOTION = 2
"""Pixels by which a part of the picture may move from frame to frame, and be no dust."""
SPIKE = 14.0
"""Levels of 255 beyond all that is near in the frames before and after."""
LINE_REACH, LINE_CLAMP = 3, 12.0
"""Pixels from the middle of a line to what is beside it, and the levels of a row that count at most."""
LINE_LEAST, USUAL_LEAST = 3.0, -4.0
"""The mean level of all rows, more than that of the usual column, from which on a column is a scratch; and the least
that is taken for usual, as texture has its darker side everywhere."""
DUST_HALF, SCRATCH_HALF = 2.0, 12.0


def film_marks(clip: FaceClip) -> float:
    """Return the points for the absence of dust and scratches, 0 to 1."""
    luma = consecutive(clip)
    return falling(dust(luma), DUST_HALF, 1.5) * falling(scratches(luma), SCRATCH_HALF, 2.0)


def consecutive(clip: FaceClip) -> Tensor:
    """Return the brightness of the first frames of a clip, at the size that they had in the source: (T, h, w)."""
    sides = (clip.boxes[:, 2:] - clip.boxes[:, :2]).clamp(min=1)
    scale = max(float(sides.float().prod(-1).sqrt().median()) / clip.face_px, 1.0)
    side = max(round(clip.side / scale), 2 * LINE_REACH + 1)
    frames = rearrange(clip.frames[:MOST_FRAMES], "t h w c -> t c h w").float()
    small = torch.stack([resize(frame, (side, side)) for frame in frames])
    return torch.einsum("tchw,c->thw", small, small.new_tensor(LUMA))


def dust(luma: Tensor) -> float:
    """Return the thousandths of the picture (T, h, w) that are dust; 0 for less than three frames."""
    if len(luma) < 3:
        return 0.0
    fine = luma - blurred(luma, COARSE)
    size = 2 * MOTION + 1
    highest = F.max_pool2d(fine[:, None], size, 1, MOTION)[:, 0]
    lowest = -F.max_pool2d(-fine[:, None], size, 1, MOTION)[:, 0]
    above = fine[1:-1] - torch.maximum(highest[:-2], highest[2:])
    below = torch.minimum(lowest[:-2], lowest[2:]) - fine[1:-1]
    return float((torch.maximum(above, below) > SPIKE).float().mean()) * 1000


def scratches(luma: Tensor) -> float:
    """Return the levels of lines from top to bottom in pictures (T, h, w), a hundred columns and frame."""
    left, middle, right = luma[..., : -2 * LINE_REACH], luma[..., LINE_REACH:-LINE_REACH], luma[..., 2 * LINE_REACH :]
    excess = luma.new_zeros(())
    for sign in (1, -1):
        line = torch.minimum(sign * (middle - left), sign * (middle - right)).clamp(-LINE_CLAMP, LINE_CLAMP)
        level = line.mean(1)  # (T, w)
        usual = level.median(1, keepdim=True).values.clamp(min=USUAL_LEAST)
        excess = excess + (level - usual - LINE_LEAST).clamp(min=0).mean()
    return float(excess) * 100
