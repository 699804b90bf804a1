"""A crop box for each frame of a track: a square, upright, that moves smoothly, by parts of a pixel.

n frames of a track, S crop side. Positions are xy in pixels of the frame; pixel i goes from i to i + 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..track.tracks import FaceTrack

CROP_SIDE_MULTIPLE = 64  # pixels: a multiple of what the latents and attention windows of all restorers need
MIN_CROP_SIDE, MAX_CROP_SIDE = 128, 1024
MAX_ENLARGEMENT = 2  # on dev clips made worse, the faces of 30 pixels lost 0.3 dB by more, those of 70 to 100 nothing
MAX_STRAY = 0.05
"""How far a crop box may be off its face, in sides of the box, before it catches up."""
CATCH_UP_SMOOTHING = 0.25
"""The smoothing of a box that catches up, as a part of the usual one."""
SIZE_SMOOTHING = 3.0  # the size of a face changes more slowly than its place, and is measured less surely


@dataclass(frozen=True, kw_only=True)
class CropConfig:
    """How faces are cut out. Raises ValueError for values that make no sense."""

    margin: float = 1.75
    """The side of a crop box in sides of the face (square roots of the area of its box): as restorers saw faces in
    training.

    Faces that leave the frame leave their crop boxes too: the rest is filled with the border's pixels.
    """
    smooth: float = 4.0
    """The spread, in frames, of the Gaussian that smooths the way of the boxes; 0 does not smooth.

    Their size is smoothed by three times as much.
    """
    side: int | None = None
    """The side of a crop in pixels. None means enough for the largest box of a track: a multiple of 64 from 128 to
    1024.
    """
    least: int = 256
    """Boxes with a smaller side are enlarged to it, but not more than twice, and not where `side` is given."""

    def __post_init__(self) -> None:
        if not 1 <= self.margin <= 8 or not 0 <= self.smooth <= 100:
            raise ValueError(
                f"margin={self.margin}, smooth={self.smooth}: needed from 1 to 8, and from 0 to 100 frames"
            )
        if self.side is not None and (self.side < 1 or self.side % CROP_SIDE_MULTIPLE):
            raise ValueError(f"crops of side {self.side}, needed a multiple of {CROP_SIDE_MULTIPLE} pixels, or None")
        if not 0 <= self.least <= MAX_CROP_SIDE:
            raise ValueError(f"least={self.least}, needed from 0 to {MAX_CROP_SIDE} pixels")


class CropBox(NamedTuple):
    """A square of a frame, in pixels. It may reach beyond the frame."""

    left: float
    top: float
    size: float


@dataclass(frozen=True)
class CropBoxes:
    """The crop boxes of a track, and the side that all its crops have."""

    corners: Tensor  # (n, 2) left and top
    sizes: Tensor  # (n,)
    side: int

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> CropBox:
        left, top = self.corners[index].tolist()
        return CropBox(left, top, float(self.sizes[index]))


def crop_boxes(track: FaceTrack, config: CropConfig | None = None) -> CropBoxes:
    """Return the crop boxes of a track, in float64, so that the same track gives the same pixels everywhere."""
    config = config or CropConfig()
    boxes = track.boxes.double()
    faces = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1).prod(-1).sqrt()
    sizes = config.margin * smoothed(faces.log(), SIZE_SMOOTHING * config.smooth).exp()
    centres = _followed((boxes[:, :2] + boxes[:, 2:]) / 2, MAX_STRAY * sizes[:, None], config.smooth)
    return CropBoxes(centres - sizes[:, None] / 2, sizes, config.side or crop_side(float(sizes.max()), config.least))


def _followed(positions: Tensor, most: Tensor, spread: float) -> Tensor:
    """Return smoothed positions (n, 2) that stray from the measured ones by not much more than `most` (n, 1)."""
    steady = smoothed(positions, spread)
    away = positions - steady
    excess = away - torch.minimum(torch.maximum(away, -most), most)
    return steady + smoothed(excess, spread * CATCH_UP_SMOOTHING)


def crop_side(largest: float, least: int) -> int:
    """Return the side in pixels of crops in which no box of a track, up to `largest` pixels, loses any detail."""
    wanted = max(largest, min(least, MAX_ENLARGEMENT * largest))
    side = CROP_SIDE_MULTIPLE * -int(-wanted // CROP_SIDE_MULTIPLE)
    return min(max(side, MIN_CROP_SIDE), MAX_CROP_SIDE)


def smoothed(values: Tensor, spread: float) -> Tensor:
    """Return the Gaussian mean of values (n, ...) along the first axis: (n, ...) float64.

    Beyond the ends the values go on mirrored through the end's point, so that a steady motion stays what it is.
    """
    n, reach = len(values), int(3 * spread + 0.5)
    values = values.double()
    if reach == 0 or n == 1:
        return values
    extended = values.reshape(n, -1).T  # (K, n)
    while (missing := (n + 2 * reach - extended.shape[1]) // 2) > 0:
        added = min(missing, extended.shape[1] - 1)
        before, after = extended[:, 1 : added + 1].flip(1), extended[:, -added - 1 : -1].flip(1)
        ends = 2 * extended[:, :1] - before, extended, 2 * extended[:, -1:] - after
        extended = torch.cat(ends, dim=1)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1).double() / spread) ** 2)
    means = F.conv1d(extended.unsqueeze(1), (kernel / kernel.sum()).view(1, 1, -1))
    return means.squeeze(1).T.reshape(values.shape)
