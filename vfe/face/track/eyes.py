"""What a tracker asks the nets about a frame, and what it keeps of their answers.

F faces, S side of a region as it is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch.nn.functional as F
from torch import Tensor

from ..detect.detector import CloseFace, Face, FaceDetector
from .appearance import Appearance, describe
from .tracks import MASK_SIDE


class Sighting(NamedTuple):
    """A face as it was seen on a frame, in the memory of the CPU.

    `mask` (S, S) uint8 is its region in an upright crop, `matrix` (2, 3) takes points of the crop to pixels.
    """

    face: Face
    mask: Tensor
    matrix: Tensor


class Meeting(NamedTuple):
    """A face that was seen for the first time, and what it looks like."""

    sighting: Sighting
    look: Appearance


class Eyes(Protocol):
    """The questions of a tracker. Each is about the frame (3, H, W) with a number, from 0 on and never going back."""

    def detect(self, number: int, frame: Tensor) -> list[Face]:
        """Return the faces that are found on the whole frame, best first."""
        ...

    def follow(self, number: int, frame: Tensor, faces: Sequence[Face]) -> list[Sighting]:
        """Return known faces as they are on this frame, near where they were."""
        ...

    def meet(self, number: int, frame: Tensor, faces: Sequence[Face]) -> list[Meeting]:
        """Return new faces as they are on this frame, and what they look like."""
        ...


class NetEyes:
    """The eyes that are a detector's nets."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector

    def detect(self, number: int, frame: Tensor) -> list[Face]:
        """Look at the whole frame."""
        del number
        return self._detector.detect(frame)

    def follow(self, number: int, frame: Tensor, faces: Sequence[Face]) -> list[Sighting]:
        """Look at the surroundings of the faces."""
        del number
        return [sighting_of(close) for close in self._detector.follow(frame, faces)]

    def meet(self, number: int, frame: Tensor, faces: Sequence[Face]) -> list[Meeting]:
        """Look at the surroundings of the faces, and describe those."""
        del number
        closes = self._detector.follow(frame, faces)
        looks = describe(frame, closes)
        return [Meeting(sighting_of(close), look) for close, look in zip(closes, looks, strict=True)]


def sighting_of(close: CloseFace) -> Sighting:
    """Return what is kept of a face: its region is smaller and of 8 bits."""
    small = F.adaptive_avg_pool2d(close.mask[None].float(), MASK_SIDE)[0]
    face = Face(close.face.box.cpu(), close.face.score, close.face.landmarks.cpu())
    return Sighting(face, (small * 255).round().byte().cpu(), close.matrix.cpu())
