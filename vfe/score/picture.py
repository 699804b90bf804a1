"""One frame as metrics see it, and two that follow each other, with what several metrics ask of them computed once.

H W sides.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .flow import Flow, flow_between

LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""BT.601's, of the R'G'B' values."""


class Picture:
    """A frame in levels of 8 bits, as the tools of the papers read it."""

    def __init__(self, levels: Tensor) -> None:
        """`levels` is (3, H, W) uint8 RGB."""
        self.levels = levels

    @classmethod
    def of(cls, pixels: Tensor) -> Picture:
        """Round pixels (3, H, W) in [-1, 1] to levels."""
        return cls(((pixels + 1) * 127.5).round().clamp(0, 255).byte())

    @property
    def size(self) -> tuple[int, int]:
        """The (width, height)."""
        return self.levels.shape[2], self.levels.shape[1]

    @property
    def longer_side(self) -> int:
        """The longer side in pixels."""
        return max(self.size)

    @cached_property
    def values(self) -> Tensor:
        """The levels as (3, H, W) float32, 0 to 255."""
        return self.levels.float()

    @property
    def pixels(self) -> Tensor:
        """The frame as (3, H, W) float32 in [-1, 1], as face finders take it."""
        return self.values / 127.5 - 1

    @property
    def image(self) -> Tensor:
        """The frame as (1, 3, H, W) float32 in [0, 1], as networks of image quality take it."""
        return self.values[None] / 255

    @cached_property
    def luma(self) -> Tensor:
        """The luma (H, W) float32, 0 to 255."""
        return torch.einsum("chw,c->hw", self.values, torch.tensor(LUMA_WEIGHTS))

    @cached_property
    def grey(self) -> npt.NDArray[np.uint8]:
        """The luma rounded to 8 bits (H, W), in which flow is looked for."""
        return self.luma.round().byte().numpy()


class Step:
    """Two frames of a clip that follow each other."""

    def __init__(self, before: Picture, now: Picture) -> None:
        self.before, self.now = before, now

    @cached_property
    def backward(self) -> Flow:
        """The flow that lies on `now` and points into `before`."""
        return flow_between(self.now.grey, self.before.grey)

    @cached_property
    def forward(self) -> Flow:
        """The flow that lies on `before` and points into `now`."""
        return flow_between(self.before.grey, self.now.grey)
