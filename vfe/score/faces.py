"""The main face of a clip, frame by frame: five landmarks and a region, by the bundled net or from label files.

H W sides, S side of a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol
from zipfile import BadZipFile

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..face.detect.detector import CloseFace, Face, FaceDetector
from ..face.detect.upright import put_back
from ..types import VFEError
from .picture import Picture

SURE = 0.5
"""The least score, 0 to 1, of a face that is followed; below, it is looked for on the whole frame again."""
INSIDE = 0.5
"""From this value of the region's mask on, a pixel is part of the face."""


@dataclass
class SeenFace:
    """A face on one frame."""

    landmarks: Tensor
    """(5, 2) xy in pixels: image-left eye, image-right eye, nose tip, mouth corners."""
    make_region: Callable[[], Tensor]
    close: Face | None = None
    """What the detector follows; None where labels say where the face is."""

    @cached_property
    def region(self) -> Tensor:
        """Which pixels are the face: (H, W) bool."""
        return self.make_region()


class FaceSource(Protocol):
    """Finds the main face of the frames of one clip, in order."""

    def next(self, picture: Picture) -> SeenFace | None:
        """Return the main face of the next frame; None where none is seen."""


class MainFace:
    """The largest face of the first frame that has one, followed from frame to frame by the bundled net."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._last: Face | None = None

    def next(self, picture: Picture) -> SeenFace | None:
        """Return the face near where it was, or where that is lost the largest one of the frame."""
        seen = None if self._last is None else face_near(self._detector, picture, self._last)
        if seen is None:
            found = self._detector.detect(picture.pixels) if min(picture.size) >= 32 else []
            largest = max(found, key=lambda face: float((face.box[2:] - face.box[:2]).prod()), default=None)
            seen = None if largest is None else face_near(self._detector, picture, largest)
        self._last = None if seen is None else seen.close
        return seen


def face_near(detector: FaceDetector, picture: Picture, near: Face) -> SeenFace | None:
    """Return the face that a frame has where another frame, or another version of it, has `near`."""
    if min(picture.size) < 32:
        return None
    (close,) = detector.follow(picture.pixels, [near])
    return _seen(close, picture) if close.face.score >= SURE else None


def _seen(close: CloseFace, picture: Picture) -> SeenFace:
    width, height = picture.size

    def region() -> Tensor:
        return put_back(close.mask, close.matrix, height, width) > INSIDE

    return SeenFace(close.face.landmarks, region, close.face)


class LabelledFace:
    """The face of a clip as a label file has it, one that training reads: masks, boxes and five landmarks."""

    def __init__(self, path: Path) -> None:
        """Raises VFEError where the file is none of labels."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                self._masks = np.unpackbits(arrays["masks"], axis=-1)
                self._boxes = torch.from_numpy(arrays["boxes"]).float()
                self._landmarks = torch.from_numpy(arrays["landmarks5"]).float()
        except (KeyError, ValueError, BadZipFile, EOFError) as error:
            raise VFEError(f"{path}: is no file of labels ({error}); needed are masks, boxes and landmarks5") from error
        if self._landmarks.shape[1:] != (5, 2) or len(self._masks) != len(self._landmarks):
            raise VFEError(f"{path}: is no file of labels: landmarks5 is {tuple(self._landmarks.shape)}")
        self._at = -1

    def next(self, picture: Picture) -> SeenFace | None:
        """Return the face of the next frame; None after the last label."""
        self._at += 1
        if self._at >= len(self._landmarks):
            return None
        mask, size = torch.from_numpy(self._masks[self._at]), picture.size[::-1]
        face = Face(self._boxes[self._at], 1.0, self._landmarks[self._at])
        return SeenFace(
            face.landmarks, lambda: F.interpolate(mask[None, None].float(), size, mode="nearest")[0, 0] > 0, face
        )
