"""Crops of faces that are cut out as they are, of 16x16 pixels, so that many frames with faces take no time."""

from __future__ import annotations

import torch
from torch import Tensor

from vfe.face.paste.paste import Patch
from vfe.face.paste.resample import Area
from vfe.face.track.tracks import FaceTrack

SIDE = 16


class SmallPatcher:
    """Stands in for `FacePatcher` and `AlignedPatcher`."""

    side = SIDE

    def __init__(self, track: FaceTrack, _config: object) -> None:
        self.corners = track.boxes[:, :2].long().clamp(min=0)

    def _area(self, frame: Tensor, index: int) -> Area:
        left, top = self.corners[index].tolist()
        left, top = min(left, frame.shape[-1] - SIDE), min(top, frame.shape[-2] - SIDE)
        return Area(top, top + SIDE, left, left + SIDE)

    def take(self, frame: Tensor, index: int) -> Tensor:
        rows, columns = self._area(frame, index).slices
        return frame[:, rows, columns].clone()

    def patch(self, frame: Tensor, index: int, crop: Tensor, restored: Tensor) -> Patch:
        return Patch(self._area(frame, index), restored - crop, torch.full((SIDE, SIDE), 0.8))
