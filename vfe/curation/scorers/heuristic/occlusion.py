"""Occlusion: what can be told of it without a net that knows hands, hair and microphones.

It is how sure the detector is, how far the head is turned, whether the face is cut off, and how much of its oval has
the colour of its own skin. A hand has the colour of skin too, and hair that has always hung over an eye is part of the
face to these measures: they do not see them. Our own measures.

N frames, s side of the face's square, k pixels of the oval.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ....luma import LUMA
from ...clip import FaceClip
from .curve import falling
from .faces import Faces
from .picture import level_below, oval

SKIN_REACH = 0.16
"""How far the logarithms of red over green and of blue over green may be from the face's own median."""
DARKEST = 0.35
"""The least brightness of skin, as a part of the median."""
LEAST_WARMTH = 0.04
"""The least logarithm of red over green of skin of any tone, in light that is near to white."""
UNSURE_HALF, TURNED_HALF, CUT_HALF, COVERED_HALF = 0.35, 0.5, 0.12, 0.75


def occlusion(clip: FaceClip, faces: Faces) -> float:
    """Return the points for a face of which nothing is hidden, 0 to 1."""
    unsure = 1 - float(clip.confidence.float().mean())
    points = falling(unsure, UNSURE_HALF) * falling(turned(faces.landmarks), TURNED_HALF, 4.0)
    return points * falling(cut_off_share(clip), CUT_HALF) * falling(covered(faces.colours), COVERED_HALF, 4.0)


def turned(landmarks: Tensor) -> float:
    """Return how far the nose (N, 5, 2) is from the middle between the eyes, in distances of the eyes: 0.6 is about 45
    degrees."""
    eyes = landmarks[:, 1] - landmarks[:, 0]
    from_middle = landmarks[:, 2] - (landmarks[:, 0] + landmarks[:, 1]) / 2
    along = (from_middle * eyes).sum(1) / eyes.square().sum(1).clamp(min=1e-6)
    return float(along.abs().median())


def cut_off_share(clip: FaceClip) -> float:
    """Return how far the face's box reaches over the border of the crop, as a part of its sides."""
    boxes = clip.boxes.float()
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
    over = (-boxes[:, :2]).clamp(min=0) + (boxes[:, 2:] - clip.side).clamp(min=0)
    return float((over / sides).amax(1).mean())


def covered(colours: Tensor) -> float:
    """Return the share of the face's oval that has not the colour of its skin; eyes, brows and mouth are in it too.

    In black and white it is told by brightness alone.
    """
    red, green, blue = colours[:, :, oval(colours.shape[-1])].clamp(min=1).unbind(1)  # (N, k)
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    warmth = (red / green).log()
    ratios = torch.stack([warmth, (blue / green).log()])
    skin = (ratios - ratios.median(2, keepdim=True).values).abs().amax(0) < SKIN_REACH
    skin &= luma > DARKEST * luma.median(1, keepdim=True).values
    if float(level_below(warmth.abs(), 0.8).median()) > LEAST_WARMTH:
        skin &= warmth > LEAST_WARMTH
    return 1 - float(skin.float().mean())
