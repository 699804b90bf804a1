"""Whose face a clip is of: the largest face that is seen all through a stretch.

T frames of a stretch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..face.track.tracks import FaceTrack, FaceTracks
from ..types import Stretch
from .config import ClipConfig
from .sources import Box
from .window import Rejected, face_size


@dataclass(frozen=True, eq=False)
class SteadyFace:
    """A face on each frame of a stretch. Where it was not seen it is where the track has it, or was last."""

    boxes: Tensor  # (T, 4) in pixels of the frame
    landmarks: Tensor  # (T, 5, 2)
    scores: Tensor  # (T,), 0 where it was not seen
    seen: Tensor  # (T,) bool
    masks: Tensor  # (T, R, R) uint8, in the upright crops of `matrices`
    matrices: Tensor  # (T, 2, 3)

    @property
    def size(self) -> float:
        """The median size of the face in pixels of the frame."""
        return face_size(self.boxes[self.seen])


def steady_face(tracks: FaceTracks, stretch: Stretch, near: Box | None, config: ClipConfig) -> SteadyFace | Rejected:
    """Return the face of a stretch, within one shot: the largest that is seen on enough of its frames.

    Of several, `near`, a box xyxy that a crop list gives, chooses those whose middle is in it.
    """
    there = [track for track in tracks.tracks if track.start < stretch.stop and stretch.start < track.stop]
    if not there:
        return Rejected("no face")
    faces = [_part(track, stretch) for track in there]
    steady = [face for face in faces if int(face.seen.sum()) >= config.steady * len(stretch)]
    if not steady:
        most = max(int(face.seen.sum()) for face in faces)
        return Rejected(f"no steady face: the steadiest is seen on {most} of {len(stretch)} frames")
    if near is not None:
        steady = [face for face in steady if _is_in(face, near)]
        if not steady:
            return Rejected("no face where the crop list has one")
    return max(steady, key=lambda face: face.size)


def _part(track: FaceTrack, stretch: Stretch) -> SteadyFace:
    """Return what of a track is in a stretch; before it begins and after it ends it stays where it is."""
    at = torch.arange(stretch.start, stretch.stop) - track.start
    inside = (at >= 0) & (at < len(track.boxes))
    at = at.clamp(0, len(track.boxes) - 1)
    seen = track.seen[at] & inside
    return SteadyFace(
        track.boxes[at], track.landmarks[at], track.scores[at] * seen, seen, track.masks[at], track.matrices[at]
    )


def _is_in(face: SteadyFace, box: Box) -> bool:
    x, y = ((face.boxes[:, :2] + face.boxes[:, 2:]) / 2).median(0).values.tolist()
    left, top, right, bottom = box
    return left <= x <= right and top <= y <= bottom
