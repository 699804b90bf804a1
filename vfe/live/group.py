"""Frames that are restored together, and the faces on them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..face.track.tracks import FaceTrack
from .frame import LiveFrame

GROUP = 4
"""The frames of a latent: with fewer the same work would be done for less."""


@dataclass(frozen=True)
class FaceOfGroup:
    """A face on the last frames of a group, and where it was before."""

    track: FaceTrack
    frames: int
    """On how many frames of the group, its last ones, the face was seen: the last frames of the track."""


@dataclass(frozen=True)
class LiveGroup:
    """Frames in their order, 1 to GROUP of one size, and the faces on them."""

    frames: tuple[LiveFrame, ...]
    faces: tuple[FaceOfGroup, ...] = ()

    def last(self, count: int) -> LiveGroup:
        """Return the last `count` frames as a group."""
        faces = tuple(replace(face, frames=min(face.frames, count)) for face in self.faces)
        return LiveGroup(self.frames[-count:], faces)
