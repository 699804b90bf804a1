"""Faces in frames: boxes, scores, five landmarks, and the region of each face, by the bundled net.

B frames, H W frame sides, F faces, S crop side. Points are xy in pixels of the frame, pixels in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...device import cpu_has_fast_bf16
from .boxes import suppress
from .mirrored import detect_both, refine_both
from .net import STRIDES, Closeup, FaceNet
from .upright import apply, crop_matrices, put_back, roll_of, take_crops, unit_grid
from .weights import BUNDLED, load_face_net

MIN_FRAME_SIDE = 32
"""The smallest side of a frame, in pixels, that the detector takes."""
LARGE_SHARE = 0.4
"""From this part of the frame's longer side on, in height or width, faces are also looked for at half the size."""
MASK_MARGINS = (0.098, 0.080, 0.102, 0.085)
"""How far regions exceed the face's box on the left, top, right and bottom, in widths and heights of the box.

It is the mean of the labels.
"""

UPRIGHT_LANDMARKS = ((0.3, 0.42), (0.7, 0.42), (0.5, 0.62), (0.34, 0.8), (0.66, 0.8))
"""The landmarks of an upright face in widths and heights of its box, for where a box is all that is known."""


class Face(NamedTuple):
    """A face on a frame. Its box goes from forehead to chin and between the temples, and may reach beyond the frame."""

    box: Tensor  # (4,) xyxy
    score: float  # 0 to 1
    landmarks: Tensor  # (5, 2): image-left eye, image-right eye, nose tip, mouth corners


class CloseFace(NamedTuple):
    """A face with its region: `mask` (S, S), 0 to 1, of an upright crop.

    `matrix` (2, 3) takes a point of the crop, 0 to 1 on both axes, to pixels of the frame.
    """

    face: Face
    mask: Tensor
    matrix: Tensor


@dataclass(frozen=True, kw_only=True)
class DetectConfig:
    """What is looked for, and how surely it has to be a face. Raises ValueError for values that make no sense."""

    longest: int = 384
    """Frames with a longer side are looked at smaller: faces under about 1/35 of the longer side are then missed."""
    score: float = 0.5
    """The least score of a face, 0 to 1."""
    large_score: float = 0.62
    """The least score of a face that fills much of the frame, of which there are few: round things that fill it look
    more like a face than smaller ones do."""
    iou_threshold: float = 0.4
    """Of two faces with a larger IoU only the better one stays."""
    inside_threshold: float = 0.8
    """Of two faces of which a larger part of one is inside of the other, only the better one stays: else a head is
    found around its face."""
    most_faces: int = 32
    """No more faces than this are found on a frame."""
    mirror: bool = True
    """Also look at the mirror image of the frame and of each face: fewer mistakes for twice the time."""

    def __post_init__(self) -> None:
        if self.longest < MIN_FRAME_SIDE or self.most_faces < 1:
            raise ValueError(f"longest={self.longest}, most_faces={self.most_faces}: needed >= {MIN_FRAME_SIDE}, >= 1")
        if not 0 < self.score <= self.large_score <= 1 or not 0 < self.iou_threshold < 1:
            raise ValueError(f"{self}: needed are 0 < score <= large_score <= 1, and an IoU threshold in (0, 1)")

    @property
    def candidate(self) -> float:
        """The detector's score from which on a face is looked at closely: with less, no score of the refiner could
        suffice.
        """
        return self.score**2


class FaceDetector:
    """Two nets that both give their word on what is a face: the detector looks at frames, the refiner at each face."""

    def __init__(self, net: FaceNet, config: DetectConfig | None = None) -> None:
        self.net, self.config = net, config or DetectConfig()

    @classmethod
    def load(
        cls, path: Path | None = None, device: torch.device | str = "cpu", config: DetectConfig | None = None
    ) -> FaceDetector:
        """Load the bundled nets, or those that training saved at `path`, in bf16 on a CPU that is fast in it.

        Landmarks then differ by 0.06 % of a face's width from those in float32, and looking takes 0.7 of the time.
        Raises VFEError where the file is none of a face net.
        """
        net = load_face_net(path or BUNDLED, torch.device(device))
        half = torch.device(device).type == "cpu" and cpu_has_fast_bf16()
        return cls(net.bfloat16() if half else net, config)

    @property
    def device(self) -> torch.device:
        """The device that the nets are on."""
        return next(self.net.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """What the nets compute in; pictures, boxes and landmarks are in float32."""
        return next(self.net.parameters()).dtype

    def detect(self, frame: Tensor) -> list[Face]:
        """Return the faces of a frame (3, H, W), best first.

        Raises ValueError for other shapes and for sides under 32 pixels.
        """
        return self.detect_batch(one_frame(frame)[None])[0]

    @torch.inference_mode()
    def detect_batch(self, frames: Tensor) -> list[list[Face]]:
        """Return the faces of each of the frames (B, 3, H, W), best first.

        Raises ValueError for other shapes and for sides under 32 pixels.
        """
        frames = self._ready(frames)
        candidates = [self._close(frame, faces) for frame, faces in zip(frames, self._candidates(frames), strict=True)]
        longer_side = max(frames.shape[-2:])
        sure = [[near.face for near in close if self._is_sure(near.face, longer_side)] for close in candidates]
        return [self._best(faces, self.config.inside_threshold) for faces in sure]

    @torch.inference_mode()
    def follow(self, frame: Tensor, faces: Sequence[Face]) -> list[CloseFace]:
        """Return known faces as they are on this frame, near where they were: with new boxes, landmarks, scores and
        regions.

        This serves the frames between detections. Of the frame (3, H, W) only the surroundings of the faces are looked
        at.
        """
        ready = self._ready(one_frame(frame)[None])[0]
        return self._close(ready, [Face(f.box.to(ready), f.score, f.landmarks.to(ready)) for f in faces])

    @torch.inference_mode()
    def mask(self, frame: Tensor, face: Face) -> Tensor:
        """Return the region (H, W), 0 to 1, of a face on a frame (3, H, W).

        It covers forehead, cheeks and chin with a small margin.
        """
        (close,) = self.follow(frame, [face])
        return put_back(close.mask, close.matrix, *frame.shape[-2:])

    def _ready(self, frames: Tensor) -> Tensor:
        if frames.dim() != 4 or frames.shape[1] != 3 or not frames.is_floating_point():
            raise ValueError(f"got {frames.dtype} {tuple(frames.shape)}, needed floats of (B, 3, H, W) in [-1, 1]")
        if min(frames.shape[-2:]) < MIN_FRAME_SIDE:
            raise ValueError(f"frames are {tuple(frames.shape[-2:])}, needed are sides of {MIN_FRAME_SIDE} and more")
        return frames.to(self.device, torch.float32)

    def _candidates(self, frames: Tensor) -> list[list[Face]]:
        """Return what the detector alone takes for faces on each frame, without doubles.

        It looks once, and for large faces once more at half the size: it learned from frames in which few faces are
        whole and larger than 200 pixels.
        """
        shrink = min(self.config.longest / max(frames.shape[-2:]), 1.0)
        looks = [self._look(frames, shrink)]
        if max(frames.shape[-2:]) * shrink >= 2 * MIN_FRAME_SIDE:
            looks.append([self._large(faces, frames) for faces in self._look(frames, shrink / 2)])
        return [self._best(list(chain.from_iterable(found))) for found in zip(*looks, strict=True)]

    def _look(self, frames: Tensor, shrink: float) -> list[list[Face]]:
        """Return all cells with a score that may suffice, of frames that are scaled by `shrink`."""
        height, width = frames.shape[-2:]
        size = [max(round(height * shrink), 1), max(round(width * shrink), 1)]
        small = frames if shrink == 1 else F.interpolate(frames, size=size, mode="bilinear", antialias=True)
        padded = F.pad(small, [0, -size[1] % STRIDES[-1], 0, -size[0] % STRIDES[-1]])
        padded = padded.to(self.dtype, memory_format=torch.channels_last)
        cells = detect_both(self.net.detector, padded) if self.config.mirror else self.net.detector(padded)
        scale = frames.new_tensor([width / size[1], height / size[0]])
        found = []
        for logits, boxes, landmarks in zip(*cells, strict=True):
            scores, top = torch.sigmoid(logits).topk(min(4 * self.config.most_faces, logits.numel()))
            kept = [(float(score), i) for score, i in zip(scores, top.tolist(), strict=True)]
            found.append(
                [
                    Face(boxes[i] * scale.repeat(2), score, landmarks[i] * scale)
                    for score, i in kept
                    if score >= self.config.candidate
                ]
            )
        return found

    def _large(self, faces: list[Face], frames: Tensor) -> list[Face]:
        """Return the faces that fill much of the frame."""
        return [face for face in faces if is_large(face, max(frames.shape[-2:]))]

    def _is_sure(self, face: Face, longer_side: int) -> bool:
        """Whether a face, on a frame whose longer side is given in pixels, has the score that it needs."""
        return face.score >= (self.config.large_score if is_large(face, longer_side) else self.config.score)

    def _best(self, faces: list[Face], inside_threshold: float = 1.0) -> list[Face]:
        """Return the best of each group of doubles, and no more faces than are wanted."""
        if not faces:
            return []
        scores = torch.tensor([face.score for face in faces])
        boxes = torch.stack([face.box for face in faces]).cpu()
        kept = suppress(boxes, scores, self.config.iou_threshold, inside_threshold)
        return [faces[index] for index in kept[: self.config.most_faces].tolist()]

    def _close(self, frame: Tensor, faces: Sequence[Face]) -> list[CloseFace]:
        """Return each face as the refiner sees it; its score is the geometric mean of the scores of both nets."""
        if not faces:
            return []
        landmarks = torch.stack([face.landmarks for face in faces])
        matrices = crop_matrices(torch.stack([face.box for face in faces]), roll_of(landmarks))
        crops = take_crops(frame, matrices, self.net.config.refiner.side)
        crops = crops.to(self.dtype, memory_format=torch.channels_last)
        seen: Closeup = refine_both(self.net.refiner, crops) if self.config.mirror else self.net.refiner(crops)
        landmarks, masks = apply(matrices, seen.landmarks), torch.sigmoid(seen.mask)
        close = []
        for index, face in enumerate(faces):
            score = (face.score * float(torch.sigmoid(seen.scores[index]))) ** 0.5
            box = box_of_mask(masks[index], matrices[index], face.box)
            close.append(CloseFace(Face(box, score, landmarks[index]), masks[index], matrices[index]))
        return close


def is_large(face: Face, longer_side: int) -> bool:
    """Return whether a face fills much of a frame whose longer side is given in pixels."""
    return float((face.box[2:] - face.box[:2]).max()) >= LARGE_SHARE * longer_side


def given_faces(boxes: Tensor) -> list[Face]:
    """Return faces of which only the boxes (F, 4) are known, taken to be upright.

    `FaceDetector.follow` measures the rest.
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)[:, None]
    landmarks = boxes[:, None, :2] + boxes.new_tensor(UPRIGHT_LANDMARKS) * sides
    return [Face(box, 1.0, points) for box, points in zip(boxes, landmarks, strict=True)]


def box_of_mask(mask: Tensor, matrix: Tensor, otherwise: Tensor) -> Tensor:
    """Return the box (4,) of a face from its region in a crop, less the margin that regions have.

    `mask` is (S, S), `matrix` (2, 3); where there is hardly a region, the box is `otherwise` (4,).
    """
    inside = mask > 0.5
    if inside.float().mean() < 0.1:
        return otherwise
    points = apply(matrix[None], unit_grid(len(mask), mask.device)[inside][None])[0]
    low, high = points.amin(0), points.amax(0)
    left, top, right, bottom = MASK_MARGINS
    side = (high - low) / low.new_tensor([1 + left + right, 1 + top + bottom])
    return torch.cat([low + side * side.new_tensor([left, top]), high - side * side.new_tensor([right, bottom])])


def one_frame(frame: Tensor) -> Tensor:
    """Return the frame as it is. Raises ValueError where it is not (3, H, W)."""
    if frame.dim() != 3 or frame.shape[0] != 3:
        raise ValueError(f"got a frame of {tuple(frame.shape)}, needed (3, H, W); detect_batch takes several")
    return frame
