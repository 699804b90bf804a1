"""A crop window for each frame of a track: square, upright, and moving smoothly, to a part of a pixel.

n frames of a track, S crop side. Positions are xy in pixels of the frame, with pixel i from i to i + 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..track.tracks import FaceTrack

CROP_SIDE_MULTIPLE = 64  # pixels: what every restorer's latents and attention windows divide
MIN_CROP_SIDE, MAX_CROP_SIDE = 128, 1024
MAX_ENLARGEMENT = 2  # on dev clips made worse, the faces of 30 pixels lost 0.3 dB by more, those of 70 to 100 nothing
MAX_STRAY = 0.05
"""Of its side: by how much a window may be off its face before it hurries, by a quarter of the smoothing."""
CATCH_UP_SMOOTHING = 0.25
SIZE_SMOOTHING = 3.0  # the size of a face changes more slowly than its place, and is measured less surely


@dataclass(frozen=True, kw_only=True)
class CropConfig:
    """How faces are cut out; ValueError where it makes no sense."""

    margin: float = 1.75
    """Side of a window in sides of the face (roots of its box's area): as restorers saw faces when they were trained.
    Faces that leave the frame leave their windows too: the rest is filled with the border's pixels."""
    smooth: float = 4.0
    """Spread, in frames, of the Gaussian that smooths the windows' way; 0 does not. Their size is smoothed by three
    times that."""
    side: int | None = None
    """Pixels of a crop; None: enough for the largest window of a track, a multiple of 64 from 128 to 1024."""
    least: int = 256
    """Windows with a smaller side are enlarged to it, but not more than twice; not where `side` is given."""

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
    """A square of a frame; it may reach beyond it."""

    left: float
    top: float
    size: float


@dataclass(frozen=True)
class CropBoxes:
    """The windows of a track, and the side that all its crops have."""

    corners: Tensor  # (n, 2) left and top
    sizes: Tensor  # (n,)
    side: int

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> CropBox:
        left, top = self.corners[index].tolist()
        return CropBox(left, top, float(self.sizes[index]))


def crop_boxes(track: FaceTrack, config: CropConfig | None = None) -> CropBoxes:
    """The windows of a track in float64, so that the same track gives the same pixels everywhere."""
    config = config or CropConfig()
    boxes = track.boxes.double()
    faces = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1).prod(-1).sqrt()
    sizes = config.margin * smoothed(faces.log(), SIZE_SMOOTHING * config.smooth).exp()
    centres = _followed((boxes[:, :2] + boxes[:, 2:]) / 2, MAX_STRAY * sizes[:, None], config.smooth)
    return CropBoxes(centres - sizes[:, None] / 2, sizes, config.side or crop_side(float(sizes.max()), config.least))


def _followed(places: Tensor, most: Tensor, spread: float) -> Tensor:
    """Smoothed places (n, 2) that stray from the measured ones by not much more than `most` (n, 1)."""
    steady = smoothed(places, spread)
    away = places - steady
    excess = away - torch.minimum(torch.maximum(away, -most), most)
    return steady + smoothed(excess, spread * CATCH_UP_SMOOTHING)


def crop_side(largest: float, least: int) -> int:
    """Pixels of a crop in which no window of a track, up to `largest` pixels, loses any."""
    wanted = max(largest, min(least, MAX_ENLARGEMENT * largest))
    side = CROP_SIDE_MULTIPLE * -int(-wanted // CROP_SIDE_MULTIPLE)
    return min(max(side, MIN_CROP_SIDE), MAX_CROP_SIDE)


def smoothed(values: Tensor, spread: float) -> Tensor:
    """Gaussian mean along the first axis, (n, ...) -> (n, ...) float64.

    Beyond the ends values go on mirrored through the end's point: a steady motion stays what it is.
    """
    n, reach = len(values), int(3 * spread + 0.5)
    values = values.double()
    if reach == 0 or n == 1:
        return values
    extended = values.reshape(n, -1).T  # (K, n)
    while (missing := (n + 2 * reach - extended.shape[1]) // 2) > 0:
        some = min(missing, extended.shape[1] - 1)
        before, after = extended[:, 1 : some + 1].flip(1), extended[:, -some - 1 : -1].flip(1)
        ends = 2 * extended[:, :1] - before, extended, 2 * extended[:, -1:] - after
        extended = torch.cat(ends, dim=1)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1).double() / spread) ** 2)
    means = F.conv1d(extended.unsqueeze(1), (kernel / kernel.sum()).view(1, 1, -1))
    return means.squeeze(1).T.reshape(values.shape)
