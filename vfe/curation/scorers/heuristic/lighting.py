"""Lighting: too dark, too bright, flat, from one side, or of a colour that no skin has.

Skin of every tone lies on a short line in red over green and blue over green; darkness is told by the brightest parts
of a face, eyes and highlights among them, so that dark skin in good light is not called dark. Our own measures.

N frames, s side of the face's square, k pixels of the oval.
"""

from __future__ import annotations

from torch import Tensor

from .curve import falling, rising
from .faces import Faces
from .picture import level_below, oval

DARK_HALF, FLAT_HALF = 70.0, 45.0
CLIPPED = (4, 251)
CLIPPED_HALF, SIDE_HALF, CAST_HALF = 0.15, 0.75, 0.7
SKIN = (0.32, -0.22)
"""The usual logarithms of red over green and of blue over green of skin: medians of 84 clips of many people."""
COLOURLESS = 0.02
"""Pictures with less colour are black and white, which has no cast."""


def lighting(faces: Faces) -> float:
    """Return the points for lighting, 0 to 1."""
    inside = oval(faces.side)
    luma = faces.luma[:, inside]  # (N, k)
    low, high = (float(level_below(luma, share).median()) for share in (0.05, 0.95))
    clipped = float(((luma <= CLIPPED[0]) | (luma >= CLIPPED[1])).float().mean())
    points = rising(high, DARK_HALF, 4.0) * rising(high - low, FLAT_HALF, 3.0) * falling(clipped, CLIPPED_HALF, 1.5)
    return points * falling(one_sided(faces), SIDE_HALF) * falling(cast(faces), CAST_HALF, 3.0)


def one_sided(faces: Faces) -> float:
    """Return the logarithm of how many times brighter one half of the face is than the other; the larger of across and
    down."""
    inside = oval(faces.side).float()
    luma, half = faces.luma * inside, faces.side // 2
    halves = ((luma[:, :, :half], luma[:, :, half:]), (luma[:, :half], luma[:, half:]))
    ratios = [(first.sum((1, 2)) + 1) / (second.sum((1, 2)) + 1) for first, second in halves]
    return max(float(ratio.log().abs().median()) for ratio in ratios)


def cast(faces: Faces) -> float:
    """Return how far the face's colour is from that of skin; 0 for pictures without colour."""
    red, green, blue = _colours(faces)
    if max(abs(float((red / green).log().median())), abs(float((blue / green).log().median()))) < COLOURLESS:
        return 0.0
    offsets = [float((part / green).log().median()) - usual for part, usual in zip((red, blue), SKIN, strict=True)]
    return float(sum(offset**2 for offset in offsets) ** 0.5)


def _colours(faces: Faces) -> tuple[Tensor, Tensor, Tensor]:
    red, green, blue = (faces.colours[:, index][:, oval(faces.side)].clamp(min=1) for index in range(3))
    return red, green, blue
