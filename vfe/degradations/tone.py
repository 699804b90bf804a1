"""Black-and-white and sepia stock. It is not damage: a restorer keeps it, so the target has it too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .frames import luma, to_frames, to_planes
from .ranges import Range, check_range, check_share, uniform


@dataclass(frozen=True)
class Tone:
    """Grey, tinted towards brown by `sepia` of 0 to 1."""

    sepia: float = 0.0

    def __call__(self, frames: Tensor) -> Tensor:
        """Frames (T, H, W, 3) uint8 in shades of one colour; black and white stay."""
        grey = luma(to_planes(frames))
        bow = grey * (255 - grey) / 255  # most in mid-tones
        tint = torch.tensor([0.35, 0.02, -0.42])[None, :, None, None] * self.sepia
        return to_frames(grey + bow * tint)


@dataclass(frozen=True, kw_only=True)
class ToneConfig:
    """Shares of black-and-white and of sepia; the others keep their colour."""

    mono: float = 0.35
    sepia: float = 0.15
    tint: Range = (0.3, 1.0)

    def __post_init__(self) -> None:
        check_share("mono + sepia", self.mono + self.sepia)
        check_share("mono", self.mono)
        check_range("tint", self.tint, 0.0, 1.0)

    def draw(self, rng: np.random.Generator) -> Tone | None:
        choice, tint = rng.random(), uniform(self.tint, rng)
        if choice < self.mono:
            return Tone()
        return Tone(tint) if choice < self.mono + self.sepia else None
