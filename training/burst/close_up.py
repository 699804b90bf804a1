"""Eyes, nose and mouth alone: what people look at first, in a small part of the picture.

A loss over whole pictures is mostly of hair, clothes and background. Alignment makes the part that matters easy to
find. Our own choice, after the parts of faces that GFPGAN's discriminators look at (Wang et al. 2021).

N images, S side, h w sides of the part.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from vfe.face.paste.align import template

MARGIN = 0.11  # of the side, beyond the outermost of the five points
MAGNIFIED = 2


def close_up(images: Tensor) -> Tensor:
    """The part of aligned faces (N, 3, S, S) from the brows to the mouth, at twice its size: (N, 3, 2h, 2w)."""
    side = images.shape[-1]
    points = template()
    low, high = points.amin(0) - MARGIN, points.amax(0) + MARGIN
    (left, top), (right, bottom) = ((corner * side).round().int().tolist() for corner in (low, high))
    return F.interpolate(images[..., top:bottom, left:right], scale_factor=MAGNIFIED, mode="bilinear")
