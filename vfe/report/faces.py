"""One face of a run, measured before and after on a few frames of its track.

S side of aligned crops in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..face.draw.sheet import best_frame, picture_of
from ..face.paste.align import steady_similarities, take_aligned
from ..face.track.tracks import FaceTrack
from .likeness import Likeness
from .picture import jpeg
from .sharpness import sharpness

MOST_SAMPLES = 24
"""No face is measured on more frames."""
SAMPLE_EVERY = 4
"""Of so many frames on which a face was seen, one is measured."""
CROP_SIDES = (48, 256)
"""The least and the largest side, in pixels, of the aligned crops that are measured.

Between them it is that of the crop in the frame, so that no detail is measured that interpolation made.
"""


class FaceSample(NamedTuple):
    """What was measured of a face on one frame."""

    frame: int
    sharpness_before: float
    sharpness_after: float
    distance: float
    """How different the face before and after are, as a `Likeness` measures it."""


@dataclass(frozen=True)
class FacePictures:
    """A face before and after: JPEG files."""

    frame: int
    before: bytes
    after: bytes


@dataclass(frozen=True)
class MeasuredFace:
    """What was measured of one track."""

    number: int
    samples: tuple[FaceSample, ...] = ()
    pictures: FacePictures | None = None


class FaceMeter:
    """Measures one track on a few frames."""

    def __init__(self, track: FaceTrack, likeness: Likeness, *, is_pictured: bool = True) -> None:
        """`is_pictured` says whether pictures of the face are kept."""
        self.track = track
        self._samples: list[FaceSample] = []
        self._pictures: FacePictures | None = None
        self.likeness = likeness
        self._shown = best_frame(track) if is_pictured else None
        self._sampled = frozenset(sampled_frames(track))
        self.frames = self._sampled if self._shown is None else self._sampled | {self._shown}
        """The frames of the clip that it wants to see."""
        self._matrices = steady_similarities(track.landmarks)

    def see(self, frame: int, before: Tensor, after: Tensor) -> None:
        """Measure a wanted frame, given before and after, (3, H, W) in [-1, 1]."""
        at = frame - self.track.start
        if frame == self._shown:
            pictures = (jpeg(picture_of(pixels, self.track.boxes[at])) for pixels in (before, after))
            self._pictures = FacePictures(frame, *pictures)
        if frame in self._sampled:
            faces = _aligned((before, after), self._matrices[at])
            sharp_before, sharp_after = sharpness(faces)
            distance = self.likeness.distance(faces[0], faces[1])
            self._samples.append(FaceSample(frame, sharp_before, sharp_after, distance))

    def measured(self) -> MeasuredFace:
        """Return what was measured so far."""
        return MeasuredFace(self.track.number, tuple(self._samples), self._pictures)


def sampled_frames(track: FaceTrack) -> list[int]:
    """Return the frames of the clip on which a track is measured, evenly spaced among those on which it was seen."""
    seen = (track.seen.nonzero()[:, 0] + track.start).tolist()
    count = min(max(len(seen) // SAMPLE_EVERY, 1), MOST_SAMPLES)
    return [seen[(2 * number + 1) * len(seen) // (2 * count)] for number in range(count)] if seen else []


def _aligned(pictures: tuple[Tensor, Tensor], matrix: Tensor) -> Tensor:
    """Return aligned crops of a face in two versions of a frame: (2, 3, S, S)."""
    least, largest = CROP_SIDES
    side = min(max(round(float(torch.linalg.det(matrix[:, :2]).abs().sqrt())), least), largest)
    return torch.stack([take_aligned(pixels, matrix, side) for pixels in pictures]).clamp(-1, 1)
