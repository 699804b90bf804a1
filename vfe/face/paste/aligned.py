"""Aligned crops of the face of a track, and the patches that they become: what `FacePatcher` is for upright crop boxes.

Profiles are left as they are, for they show half of what the template knows.

C channels, H W frame sides, S crop side.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..track.tracks import FaceTrack
from .align import ALIGNED_SIDE, Interpolation, covered_area, put_aligned, steady_similarities, take_aligned
from .colour import match_colours
from .frontal import frontal_weights
from .paste import PasteConfig, Patch
from .region import BORDER_FADE, FaceRegion, border_fade
from .resample import Area

AROUND_FADE = 0.15
"""Over this part of a crop's side what is around the face fades into the frame."""


class AlignedPatcher:
    """Crops of one face in which eyes, nose and mouth stay where the template has them."""

    side = ALIGNED_SIDE
    """The side of all crops in pixels."""

    def __init__(
        self, track: FaceTrack, config: PasteConfig | None = None, interpolation: Interpolation = "bicubic"
    ) -> None:
        self.interpolation: Interpolation = interpolation
        self.config = config or PasteConfig()
        self.matrices = steady_similarities(track.landmarks)
        self.shown = track.presence * frontal_weights(track.landmarks)
        self.region = FaceRegion(track, self.config.feather, self.config.smooth)
        self._fade = border_fade(ALIGNED_SIDE, AROUND_FADE if self.config.around else BORDER_FADE)

    def take(self, frame: Tensor, index: int) -> Tensor:
        """Cut out the crop (C, S, S) of the track's frame `index`, which is `frame` (C, H, W); both are in [-1, 1]."""
        return take_aligned(frame, self.matrices[index], self.side, self.interpolation).clamp_(-1, 1)

    def patch(self, frame: Tensor, index: int, crop: Tensor, restored: Tensor) -> Patch:
        """Return the patch from a crop that `take` gave of this frame, and from what it was restored to.

        The change alone is put back.
        """
        change = (match_colours(restored, crop) if self.config.match_colours else restored) - crop
        layers = torch.cat([change, self._fade.to(change)[None]])
        area, weight = self._shown(frame, index)
        layers = put_aligned(layers, self.matrices[index], area, self.interpolation)
        inside = layers[-1].clamp(0, 1)
        if not self.config.around:
            return Patch(area, layers[:-1], weight * inside)
        around = (self._most_shown(index) - weight).clamp(min=0) * inside
        return Patch(area, layers[:-1], weight * inside, around)

    def _shown(self, frame: Tensor, index: int) -> tuple[Area, Tensor]:
        """Return the smallest area of a frame in which the face's region is, or all that the crop covers where what is
        around is shown too, and the region's weight (h, w) there.
        """
        area = covered_area(self.matrices[index], *frame.shape[-2:])
        weight = self.region.unfaded(index, area) * self._most_shown(index)
        if self.config.around and self._most_shown(index):
            return area, weight
        rows, columns = (weight.any(axis).nonzero().flatten().tolist() for axis in (1, 0))
        if not rows:
            return Area(0, 0, 0, 0), weight[:0, :0]
        inside = Area(rows[0], rows[-1] + 1, columns[0], columns[-1] + 1)
        return inside.moved(area.top, area.left), weight[inside.slices]

    def _most_shown(self, index: int) -> float:
        """Return the largest weight that the track's frame `index` has anywhere."""
        return float(self.shown[index]) * self.config.blend
