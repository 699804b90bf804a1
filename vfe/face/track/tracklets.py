"""Tracklets: stretches of frames over which one face was followed without any doubt.

S side of a region. Points are xy and boxes xyxy in pixels of the frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..detect.detector import CloseFace, Face
from .appearance import Appearance, mixed
from .eyes import Sighting

SPEED_FRAMES = 6
"""The number of frames over which a speed is measured."""
APPEARANCE_UPDATE = 0.25
"""How much of the known look is replaced at each detection."""


@dataclass(eq=False)
class Tracklet:
    """A face on consecutive frames from `start` on; it grows by a frame at a time."""

    start: int
    confidence: float
    """How sure the detector is that this is a face; it decays while the detector does not see it."""
    appearance: Appearance
    alone: bool
    """Whether nobody else was near where it began."""
    alone_at_end: bool = True
    """Whether nobody else was near where it ended."""
    confirmed: int = 0
    """The last frame on which it was detected."""
    boxes: list[Tensor] = field(default_factory=list)  # (4,)
    landmarks: list[Tensor] = field(default_factory=list)  # (5, 2)
    scores: list[float] = field(default_factory=list)
    masks: list[Tensor] = field(default_factory=list)  # (S, S) uint8
    matrices: list[Tensor] = field(default_factory=list)  # (2, 3)
    strangers: list[tuple[int, Appearance]] = field(default_factory=list)
    """The latest detections at which it did not look like itself: the frame and the look."""

    @property
    def stop(self) -> int:
        """The frame after its last one."""
        return self.start + len(self.boxes)

    @property
    def side(self) -> float:
        """The side of a square with the area of its last box, in pixels."""
        return side_of(self.boxes[-1])

    def add(self, seen: Sighting) -> None:
        """Add the face as it is on the next frame."""
        self.boxes.append(seen.face.box)
        self.landmarks.append(seen.face.landmarks)
        self.scores.append(seen.face.score)
        self.masks.append(seen.mask)
        self.matrices.append(seen.matrix)

    def expected(self) -> Face:
        """Return where it will be on the next frame if it moves on as on the last few ones."""
        step = 0.7 * speed(self.boxes[-3:])  # damped: what stops is not to be overrun
        return Face(self.boxes[-1] + step.repeat(2), self.confidence, self.landmarks[-1] + step)

    def latest(self) -> CloseFace:
        """Return the face as it was added last; its region is smaller."""
        face = Face(self.boxes[-1], self.scores[-1], self.landmarks[-1])
        return CloseFace(face, self.masks[-1].float() / 255, self.matrices[-1])

    def learn(self, look: Appearance) -> None:
        """Mix how the face looks now into how it is known to look."""
        self.appearance = mixed(self.appearance, look, APPEARANCE_UPDATE)

    def trim(self, sure: float) -> None:
        """Forget the last frames, after the last detection, on which its score is below `sure`."""
        while self.stop - 1 > max(self.confirmed, self.start) and self.scores[-1] < sure:
            for values in self._values():
                values.pop()

    def split(self, frame: int, confidence: float, look: Appearance) -> Tracklet:
        """Cut off what it was from `frame` on, and return that as a tracklet of its own, which looks like `look`."""
        at = frame - self.start
        assert 0 < at < len(self.boxes)
        rest = Tracklet(frame, confidence, look, alone=True)
        rest.confirmed = self.confirmed
        for mine, theirs in zip(self._values(), rest._values(), strict=True):
            theirs.extend(mine[at:])
            del mine[at:]
        return rest

    def _values(self) -> tuple[list[Any], ...]:
        return self.boxes, self.landmarks, self.scores, self.masks, self.matrices


def speed(boxes: list[Tensor]) -> Tensor:
    """Return the mean motion of the centre a frame: (2,) xy in pixels; 0 for less than two boxes."""
    if len(boxes) < 2:
        return torch.zeros(2)
    return (centre(boxes[-1]) - centre(boxes[0])) / (len(boxes) - 1)


def centre(box: Tensor) -> Tensor:
    """Return the centre (2,) of a box (4,)."""
    return (box[:2] + box[2:]) / 2


def side_of(box: Tensor) -> float:
    """Return the side of a square with the area of a box (4,), in pixels."""
    return float((box[2:] - box[:2]).clamp(min=1).prod().sqrt())
