"""Resizing without protection from aliasing, as OpenCV does it: area, bilinear or bicubic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from .ranges import Range, check_range, check_share, uniform

ResizeMode = Literal["area", "bilinear", "bicubic"]
RESIZE_MODES: tuple[ResizeMode, ...] = ("area", "bilinear", "bicubic")
MIN_SIDE = 16  # pixels: below, codecs have nothing to work on


@dataclass(frozen=True)
class Resize:
    """Scales both sides by `scale`, but not below `MIN_SIDE` pixels."""

    scale: float
    mode: ResizeMode = "area"

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:  # noqa: ARG002 - as every piece
        height, width = (max(min(MIN_SIDE, side), round(side * self.scale)) for side in planes.shape[2:])
        return resized(planes, (height, width), self.mode)

    def milder(self, severity: float) -> Resize:
        return replace(self, scale=self.scale**severity)


@dataclass(frozen=True, kw_only=True)
class ResizeConfig:
    """Enlarges a share `up` of the clips, shrinks a share `down`, and leaves the others unchanged."""

    up: float = 0.2
    down: float = 0.7
    scale: Range = (0.35, 1.25)

    def __post_init__(self) -> None:
        check_range("scale", self.scale, 0.05, 4.0)
        check_share("up + down", self.up + self.down)
        if not self.scale[0] <= 1 <= self.scale[1] or min(self.up, self.down) < 0:
            raise ValueError(f"scale={self.scale}, up={self.up}, down={self.down}: needed 1 inside, shares from 0")

    def draw(self, rng: np.random.Generator) -> Resize | None:
        choice = rng.random()
        mode = RESIZE_MODES[int(rng.integers(3))]
        if choice < self.up:
            return Resize(uniform((1.0, self.scale[1]), rng), mode)
        if choice < self.up + self.down:
            return Resize(uniform((self.scale[0], 1.0), rng), mode)
        return None


def resized(planes: Tensor, size: tuple[int, int], mode: ResizeMode) -> Tensor:
    """Planes (T, C, H, W) at another size. Area means only shrink, so that enlarging is bilinear instead."""
    if tuple(planes.shape[2:]) == size:
        return planes
    if mode == "area" and size[0] <= planes.shape[2] and size[1] <= planes.shape[3]:
        return F.interpolate(planes, size, mode="area")
    return F.interpolate(planes, size, mode="bilinear" if mode == "area" else mode, align_corners=False)
