"""Restored crops back into their frames: frame + w back(restored' - crop).

Only the change is pasted, so that crops that were not restored give the frame itself, and where w is 0 no bit of it
changes. C channels, H W frame sides, S crop side, h w sides of an area of the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ..track.tracks import FaceTrack
from .colour import match_colours
from .crop_box import CropConfig, crop_boxes
from .region import FaceRegion
from .resample import Area, put_crop, take_crop


@dataclass(frozen=True, kw_only=True)
class PasteConfig:
    """How restored faces come back. Raises ValueError for values that make no sense."""

    blend: float = 1.0
    """How much of the restored face is shown: 1 is all, 0 is none."""
    feather: float = 0.08
    """The spread of the region's soft border, in sides of the face."""
    smooth: float = 2.0
    """The spread, in frames, of the Gaussian that steadies the region."""
    match_colours: bool = True
    """Whether slow changes of light and colour along the picture stay as they were in the frame."""
    around: bool = False
    """Whether what is around the face in an aligned crop, hair and neck, is shown restored too. That is for frames that
    were restored as a whole: a sharp face in soft hair looks like a mask."""

    def __post_init__(self) -> None:
        if not 0 <= self.blend <= 1:
            raise ValueError(f"blend is {self.blend}, needed is a number from 0 (frame unchanged) to 1 (all restored)")
        if not 0 <= self.feather <= 0.5 or not 0 <= self.smooth <= 100:
            raise ValueError(
                f"feather={self.feather}, smooth={self.smooth}: needed from 0 to 0.5 sides of the face, 0 to 100 frames"
            )


@dataclass(frozen=True, kw_only=True)
class FaceConfig:
    """How faces are cut out, and how they come back."""

    crop: CropConfig = field(default_factory=CropConfig)
    paste: PasteConfig = field(default_factory=PasteConfig)


class Patch(NamedTuple):
    """What changes in an area of a frame, and how much of the change is shown there."""

    area: Area
    change: Tensor  # (C, h, w)
    weight: Tensor  # (h, w) 0 to 1
    around: Tensor | None = None  # (h, w) 0 to 1: more of it, where no other face is


class Patcher(Protocol):
    """How the face of one track is cut out of frames, and how it comes back."""

    @property
    def side(self) -> int:
        """The side of all its crops in pixels."""

    def take(self, frame: Tensor, index: int) -> Tensor:
        """Cut out the crop (C, S, S) of the track's frame `index`, which is `frame` (C, H, W); both are in [-1, 1]."""

    def patch(self, frame: Tensor, index: int, crop: Tensor, restored: Tensor) -> Patch:
        """Return the change from the crop that `take` gave of this frame to the restored one, to be pasted into it."""


class FacePatcher:
    """The crops of one track's face, and the patches that they become."""

    def __init__(self, track: FaceTrack, config: FaceConfig | None = None) -> None:
        self.config = config or FaceConfig()
        self.crop_boxes = crop_boxes(track, self.config.crop)
        self.presence = track.presence
        self.region = FaceRegion(track, self.config.paste.feather, self.config.paste.smooth)

    @property
    def side(self) -> int:
        """The side of all its crops in pixels."""
        return self.crop_boxes.side

    def take(self, frame: Tensor, index: int) -> Tensor:
        """Cut out the crop (C, S, S) of the track's frame `index`, which is `frame` (C, H, W); both are in [-1, 1]."""
        return take_crop(frame, self.crop_boxes[index], self.side).clamp_(-1, 1)

    def patch(self, frame: Tensor, index: int, crop: Tensor, restored: Tensor) -> Patch:
        """Return the patch from a crop that `take` gave of this frame, and from what it was restored to."""
        config, box = self.config.paste, self.crop_boxes[index]
        change = (match_colours(restored, crop) if config.match_colours else restored) - crop
        area, change = put_crop(change, box, *frame.shape[-2:])
        weight = self.region.weight(index, area, box) * (float(self.presence[index]) * config.blend)
        return Patch(area, change, weight)


def paste(frame: Tensor, patches: Sequence[Patch]) -> Tensor:
    """Return the frame (C, H, W) in [-1, 1] with its patches.

    Where several faces share pixels, they share the weight; what is around one of them keeps off the others.
    """
    if not patches:
        return frame
    weights = _weights(patches, frame)
    total = frame.new_zeros(frame.shape[-2:])
    for patch, weight in zip(patches, weights, strict=True):
        total[patch.area.slices] += weight
    pasted = frame.clone()
    for patch, weight in zip(patches, weights, strict=True):
        rows, columns = patch.area.slices
        pasted[:, rows, columns] += patch.change * (weight / total[rows, columns].clamp(min=1))
    for patch in patches:
        rows, columns = patch.area.slices
        inside = total[rows, columns] > 0
        pasted[:, rows, columns] = torch.where(inside, pasted[:, rows, columns].clamp(-1, 1), frame[:, rows, columns])
    return pasted


def _weights(patches: Sequence[Patch], frame: Tensor) -> list[Tensor]:
    """Return how much of each patch is shown at the pixels of its area: of the face, and of what is around it."""
    faces = frame.new_zeros(frame.shape[-2:])
    for patch in patches:
        faces[patch.area.slices] += patch.weight
    weights = []
    for patch in patches:
        others = (faces[patch.area.slices] - patch.weight).clamp(0, 1)
        weights.append(patch.weight if patch.around is None else patch.weight + patch.around * (1 - others))
    return weights
