"""Portraits as a critic of single frames knows them: at the sizes and turns in which clips show faces.

A picture is a function of the seed, the step and the slot. S side of a crop.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...data.clips import DataConfig, camera_motion, face_window, flipped, list_items, read_frames, read_masks
from ...run.stage import Draw


class Portraits:
    """Pictures of the hq_image items of a training set; none of them is a frame of hq_video."""

    def __init__(self, config: DataConfig, seed: int) -> None:
        """Raises ValueError where the set has no portrait that the config admits."""
        self.config, self.seed = replace(config, frames=1), seed
        self.items = [item for item in list_items(config) if item.is_image]
        if not self.items:
            raise ValueError(f"{config.root} has no portrait (hq_image) that the run may use: leave motion.critic out")

    def pictures(self, count: int, draw: Draw) -> Tensor:
        """`count` portraits for each clip of the step, as a clip (B, 3, count, S, S) in [-1, 1] on the CPU."""
        clips = [self._clip(count, np.random.default_rng([self.seed, draw.step, slot])) for slot in draw.slots]
        return torch.stack(clips).permute(0, 4, 1, 2, 3).float().div_(127.5).sub_(1)

    def _clip(self, count: int, rng: np.random.Generator) -> Tensor:
        return torch.stack([self._picture(rng) for _ in range(count)])

    def _picture(self, rng: np.random.Generator) -> Tensor:
        """A crop (S, S, 3) uint8 of one portrait, seen as by the camera that makes clips of portraits."""
        item = self.items[int(rng.integers(len(self.items)))]
        picture = read_frames(item.path)
        mask = read_masks(item.label, *picture.shape[:3])
        seen, face = camera_motion(picture[0].permute(2, 0, 1), mask[0], 1, rng)
        (crop,) = flipped((seen[face_window(face, self.config, rng)],), rng)
        return crop[0]
