"""Aligned crops of the face of a track, and the patches that they become: what `FacePatcher` is for upright crop boxes.

Profiles are left as they are, for they show half of what the template knows.

C channels, H W frame sides, S crop side.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..track.tracks import FaceTrack
from .align import ALIGNED_SIDE, put_aligned, steady_similarities, take_aligned
from .colour import match_colours
from .frontal import frontal_weights
from .paste import PasteConfig, Patch
from .region import FaceRegion, border_fade


class AlignedPatcher:
    """Crops of one face in which eyes, nose and mouth stay where the template has them."""

    side = ALIGNED_SIDE
    """The side of all crops in pixels."""

    def __init__(self, track: FaceTrack, config: PasteConfig | None = None) -> None:
        self.config = config or PasteConfig()
        self.matrices = steady_similarities(track.landmarks)
        self.shown = track.presence * frontal_weights(track.landmarks)
        self.region = FaceRegion(track, self.config.feather, self.config.smooth)
        self._fade = border_fade(ALIGNED_SIDE)

    def take(self, frame: Tensor, index: int) -> Tensor:
        """Cut out the crop (C, S, S) of the track's frame `index`, which is `frame` (C, H, W); both are in [-1, 1]."""
        return take_aligned(frame, self.matrices[index], self.side).clamp_(-1, 1)

    def patch(self, frame: Tensor, index: int, crop: Tensor, restored: Tensor) -> Patch:
        """Return the patch from a crop that `take` gave of this frame, and from what it was restored to.

        The change alone is put back.
        """
        change = (match_colours(restored, crop) if self.config.match_colours else restored) - crop
        layers = torch.cat([change, self._fade.to(change)[None]])
        area, layers = put_aligned(layers, self.matrices[index], *frame.shape[-2:])
        fade = layers[-1].clamp(0, 1)
        weight = self.region.unfaded(index, area) * fade * (float(self.shown[index]) * self.config.blend)
        return Patch(area, layers[:-1], weight)
