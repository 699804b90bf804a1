"""Faces followed through frames as they come: nothing is known of the frames that follow.

Faces are looked for now and then, and followed in between. H W sides of the frames that are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..face.detect.boxes import intersection_over_smaller
from ..face.detect.detector import DetectConfig, Face, FaceDetector
from ..face.track.eyes import Sighting, sighting_of
from ..face.track.tracklets import centre, side_of, speed
from ..face.track.tracks import FaceTrack

HISTORY = 12
"""The frames before a group that steady its faces."""


@dataclass(frozen=True, kw_only=True)
class FollowConfig:
    """How faces are found and followed. Raises ValueError for values that make no sense."""

    every: int = 2
    """Followed faces are looked at on each so-many-th frame; on those between they move on as before."""
    search: int = 4
    """How many frames pass from one look for faces to the next while there is none."""
    renew: int = 24
    """How many frames pass from one look for further faces to the next while there are some."""
    keep: float = 0.4
    """The score down to which a face is followed."""
    fade: int = 5
    """Over so many frames a face that was just found comes in."""
    most: int = 2
    """No more faces than this are followed, the largest."""

    def __post_init__(self) -> None:
        if min(self.every, self.search, self.renew, self.fade, self.most) < 1 or not 0 < self.keep < 1:
            raise ValueError(f"{self}: needed are numbers from 1 on, and a score between 0 and 1")


@dataclass
class FollowedFace:
    """A face and its last sightings, of which the newest is that on the latest frame."""

    number: int
    sightings: list[Sighting] = field(default_factory=list)
    age: int = 0
    """The frames on which it was seen."""

    def expected(self) -> Sighting:
        """Return where it will be if it moves on as on the last frames."""
        last = self.sightings[-1]
        step = 0.7 * speed([seen.face.box for seen in self.sightings[-3:]])  # damped: what stops is not to be overrun
        face = Face(last.face.box + step.repeat(2), last.face.score, last.face.landmarks + step)
        return Sighting(face, last.mask, torch.cat([last.matrix[:, :2], last.matrix[:, 2:] + step[:, None]], dim=1))

    def see(self, seen: Sighting, most: int) -> None:
        """Add the face as it is on the next frame, and forget all but the last `most` sightings."""
        self.sightings = [*self.sightings, seen][-most:]
        self.age += 1

    def track(self, fade: int, scale: Tensor) -> FaceTrack:
        """Return the sightings as a track; `scale` (2,) takes x and y to pixels of the frames that are restored."""
        faces = [seen.face for seen in self.sightings]
        count = len(faces)
        ages = torch.arange(self.age - count + 1, self.age + 1)
        return FaceTrack(
            number=self.number,
            start=0,
            boxes=torch.stack([face.box for face in faces]) * scale.repeat(2),
            landmarks=torch.stack([face.landmarks for face in faces]) * scale,
            scores=torch.tensor([face.score for face in faces]),
            seen=torch.ones(count, dtype=torch.bool),
            presence=(ages / (fade + 1)).clamp(max=1),
            masks=torch.stack([seen.mask for seen in self.sightings]),
            matrices=torch.stack([seen.matrix for seen in self.sightings]) * scale[:, None],
        )


class Follower:
    """Takes frames one by one and knows the faces on the latest."""

    def __init__(self, detector: FaceDetector, config: FollowConfig, group: int) -> None:
        """A face keeps its sightings on the last `group` frames, and those on `HISTORY` before."""
        self.config = config
        self.faces: list[FollowedFace] = []
        self._kept = group + HISTORY
        self._finder = detector
        # Between two looks the mirror image adds nothing that lasts: following without it takes two thirds of the time.
        self._near = FaceDetector(detector.net, DetectConfig(mirror=False))
        self._waited = config.search  # frames since the last look
        self._given = 0

    def push(self, frame: Tensor) -> None:
        """Take the next frame (3, H, W) in [-1, 1]."""
        self._waited += 1
        lost = False
        if self._waited % self.config.every:
            for face in self.faces:
                face.see(face.expected(), self._kept)
        else:
            lost = self._follow(frame)
        if lost or self._waited >= (self.config.renew if self.faces else self.config.search):
            self._waited = 0
            self._look(frame)

    def _follow(self, frame: Tensor) -> bool:
        """Look where the faces are on the next frame; return whether one is lost."""
        size = (frame.shape[-1], frame.shape[-2])
        sightings = self._sightings(frame, [face.expected().face for face in self.faces])
        followed = list(zip(self.faces, sightings, strict=True))
        self.faces = [face for face, seen in followed if _goes_on(face.sightings[-1], seen, size, self.config.keep)]
        for face, seen in followed:
            if face in self.faces:
                face.see(seen, self._kept)
        return len(self.faces) < len(followed)

    def _look(self, frame: Tensor) -> None:
        """Look for faces that are not followed yet; the largest of all are kept."""
        known = [face.sightings[-1].face.box for face in self.faces]
        found = [face for face in self._finder.detect(frame) if not _is_known(face.box, known)]
        for seen in self._sightings(frame, found):
            self._given += 1
            face = FollowedFace(self._given)
            face.see(seen, self._kept)
            self.faces.append(face)
        self.faces.sort(key=lambda face: -side_of(face.sightings[-1].face.box))
        del self.faces[self.config.most :]

    def _sightings(self, frame: Tensor, faces: Sequence[Face]) -> list[Sighting]:
        return [sighting_of(close) for close in self._near.follow(frame, faces)] if faces else []


def _is_known(box: Tensor, known: Sequence[Tensor]) -> bool:
    """Return whether a box is mostly inside of a known one, or the other way round."""
    return bool(known) and bool((intersection_over_smaller(box[None].cpu(), torch.stack(list(known))) > 0.5).any())


def _goes_on(before: Sighting, seen: Sighting, size: tuple[int, int], keep: float) -> bool:
    """Return whether a face is still there, on a frame of `size` (width, height), and may have got there in its time.

    Frames may have been dropped in between, so that more is possible than from one frame to the next.
    """
    side = side_of(before.face.box)
    grown = side_of(seen.face.box) / side
    moved = float((centre(seen.face.box) - centre(before.face.box)).norm()) / side
    x, y = centre(seen.face.box).tolist()
    return seen.face.score >= keep and 0.6 < grown < 1.6 and moved < 1 and 0 < x < size[0] and 0 < y < size[1]
