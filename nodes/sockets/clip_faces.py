"""The faces of a clip as Face Mask hands them on: where they are, and how they are cut out and pasted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...vfe.face.paste.paste import FaceConfig, FacePatcher
from ...vfe.face.paste.resample import box_area
from ...vfe.face.track.tracks import FaceTracks
from ...vfe.types import VFEError
from ..host.images import check_images


@dataclass(frozen=True)
class ClipFaces:
    """What a FACE_TRACKS link carries: the chosen faces, and one config for cutting out and pasting."""

    tracks: FaceTracks
    config: FaceConfig

    def check(self, images: Tensor) -> None:
        """Raise VFEError where these are not the frames in which the faces were looked for."""
        check_images(images)
        frames, height, width = images.shape[:3]
        tracks = self.tracks
        if (frames, height, width) != (tracks.frames, tracks.height, tracks.width):
            raise VFEError(
                f"the IMAGE is {frames} frames of {width}x{height}, the faces are of {tracks.frames} frames of "
                f"{tracks.width}x{tracks.height}; connect the same IMAGE to Face Mask and here"
            )

    @property
    def is_empty(self) -> bool:
        """Whether no face was found or selected."""
        return not self.tracks.tracks

    def patchers(self) -> list[FacePatcher]:
        """Return what cuts out and pastes back the face of each track, in order."""
        return [FacePatcher(track, self.config) for track in self.tracks.tracks]

    def masks(self) -> Iterator[Tensor]:
        """Yield a mask (H, W) for each frame: how much of the restored faces is shown in each pixel, 0 to 1."""
        patchers = {track.number: patcher for track, patcher in zip(self.tracks.tracks, self.patchers(), strict=True)}
        for index in range(self.tracks.frames):
            mask = torch.zeros(self.tracks.height, self.tracks.width)
            for track, at in self.tracks.at(index):
                patcher = patchers[track.number]
                area = box_area(patcher.crop_boxes[at], *mask.shape)
                mask[area.slices] += patcher.region.weight(at, area, patcher.crop_boxes[at]) * patcher.presence[at]
            yield mask.clamp_(0, 1)
