"""How much of an error repeats from block to block: the weave that a codec of blocks, or strides, leave in skin.

Errors that differ from place to place average out over the blocks around; what is woven stays. Our own choice.

B batch, T H W frames; blocks of y x pixels in areas of i x j blocks.
"""

from __future__ import annotations

from einops import rearrange, reduce
from torch import Tensor

from .terms import penalise

BLOCK = 8
AREA = 4
"""Blocks along an area's side: skin of a cheek or a forehead."""


def lattice_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """The mean size of the error that all blocks of an area and all frames share, but for its mean, of video (B, 3, T,
    H, W) with sides of whole areas."""
    blocks = rearrange(
        prediction - target, "b c t (v i y) (w j x) -> b c t v i w j y x", y=BLOCK, x=BLOCK, i=AREA, j=AREA
    )
    shared = reduce(blocks, "b c t v i w j y x -> b c v w y x", "mean")
    return penalise(shared - reduce(shared, "b c v w y x -> b c v w 1 1", "mean"), "charbonnier").mean()
