"""Batches of frames and crops. Each is a function of the seed, the batch's number and the slot in it alone.

B slots, K faces at most in a frame, R crops of a slot, S crop side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from vfe.face.detect.mirrored import MIRRORED_LANDMARKS

from ..run.stage import Slots
from .canvas import Canvas, CanvasConfig, draw_canvas
from .crops import CropConfig, draw_crop
from .pictures import Album, KnownFace

NO_FACE, FACE_WITH_LANDMARKS, FACE_WITH_BOX_ONLY, UNSURE_FACE = 0, 1, 2, 3
"""What a row of a frame's labels is. Whether an unsure one is found or not, neither counts."""
MAX_FACES = 12
COARSE_SIZE_SHARE = 0.7
"""A face may have this share of the smallest side in the pixels of the picture that a coarse frame was made from."""
SURE_SHARE, UNSURE_SHARE = 0.45, 0.12
"""Visible shares of a face's box from which on it must be found, and below which it is none."""


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """How many frames and crops a step sees, and how they are drawn."""

    frames: int = 16
    crops: int = 2
    """The crops that come with each frame; they have nothing to do with it."""
    canvas: CanvasConfig = field(default_factory=CanvasConfig)
    crop: CropConfig = field(default_factory=CropConfig)

    def __post_init__(self) -> None:
        if self.frames < 1 or self.crops < 1:
            raise ValueError(f"frames={self.frames}, crops={self.crops}: needed are at least 1")


class FaceBatch(NamedTuple):
    """Pixels are uint8 as loaded and floats in [-1, 1] as trained on."""

    frames: Tensor  # (B, 3, H, W)
    kinds: Tensor  # (B, K)
    boxes: Tensor  # (B, K, 4) xyxy
    landmarks: Tensor  # (B, K, 5, 2), NaN where unknown
    crops: Tensor  # (B, R, 3, S, S)
    are_faces: Tensor  # (B, R) bool
    crop_landmarks: Tensor  # (B, R, 5, 2) in 0..1 of the crop, NaN where unknown
    masks: Tensor  # (B, R, S, S) int8 of 0 and 1, -1 where unknown


class FaceFrames(IterableDataset[FaceBatch]):
    """Endless batches from number `start` on: the frames and crops of `slots`.

    Every second batch is the one before it in the mirror, which halves the cost of drawing.
    """

    def __init__(self, album: Album, config: BatchConfig, side: int, seed: int, position: tuple[int, Slots]) -> None:
        self.album, self.config, self.side, self.seed = album, config, side, seed
        self.start, self.slots = position
        self._drawn: tuple[int, FaceBatch] | None = None

    def __iter__(self) -> Iterator[FaceBatch]:
        info = get_worker_info()
        workers, worker = (info.num_workers, info.id) if info else (1, 0)
        for number in count(self.start + worker, workers):
            yield self.draw(number)

    def draw(self, number: int) -> FaceBatch:
        """Batch `number`. All its frames have one size."""
        pair, second = divmod(number, 2)
        if self._drawn is None or self._drawn[0] != pair:
            sizes = self.config.canvas.sizes
            size = sizes[int(np.random.default_rng([self.seed, pair]).integers(len(sizes)))]
            slots = [self._slot(np.random.default_rng([self.seed, pair, 1 + slot]), size) for slot in self.slots]
            self._drawn = pair, FaceBatch(*(torch.stack(parts) for parts in zip(*slots, strict=True)))
        return mirror(self._drawn[1]) if second else self._drawn[1]

    def _slot(self, rng: np.random.Generator, size: tuple[int, int]) -> tuple[Tensor, ...]:
        canvas = draw_canvas(self.album, self.config.canvas, rng, size)
        crops = [draw_crop(self.album, self.config.crop, rng, self.side) for _ in range(self.config.crops)]
        return (
            canvas.image.round().byte(),
            *labels_of(canvas, self.config.canvas.smallest * max(COARSE_SIZE_SHARE * canvas.coarseness, 1.0)),
            torch.stack([crop.image for crop in crops]).round().byte(),
            torch.tensor([crop.is_face for crop in crops]),
            torch.stack([crop.landmarks.float() for crop in crops]),
            torch.stack([crop.mask for crop in crops]).to(torch.int8),
        )


def labels_of(canvas: Canvas, smallest: float) -> tuple[Tensor, Tensor, Tensor]:
    """The labels of a frame's faces: kinds (K,), boxes (K, 4) xyxy and landmarks (K, 5, 2). `smallest` is the side in
    pixels below which a face is unsure."""
    kinds = torch.zeros(MAX_FACES, dtype=torch.int8)
    boxes = torch.zeros(MAX_FACES, 4)
    landmarks = torch.full((MAX_FACES, 5, 2), torch.nan)
    row = 0
    for index, face in enumerate(canvas.faces):
        visible = canvas.visible(index)
        if visible < UNSURE_SHARE or row == MAX_FACES:
            continue
        small = float(np.prod(face.box[2:] - face.box[:2])) < smallest**2
        kinds[row] = (
            UNSURE_FACE
            if small or visible < SURE_SHARE
            else FACE_WITH_BOX_ONLY
            if face.landmarks is None
            else FACE_WITH_LANDMARKS
        )
        boxes[row] = torch.from_numpy(face.box)
        if face.landmarks is not None:
            landmarks[row] = torch.from_numpy(face.landmarks)
        row += 1
    return kinds, boxes, landmarks


def _kind_of(face: KnownFace, *, sure: bool) -> int:
    if not sure:
        return UNSURE_FACE
    return FACE_WITH_BOX_ONLY if face.landmarks is None else FACE_WITH_LANDMARKS


def mirror(batch: FaceBatch) -> FaceBatch:
    """Left and right exchanged, in pixels and labels; image-left stays the first of the eyes and mouth corners."""
    width = batch.frames.shape[-1]
    boxes, landmarks, crop_landmarks = (x.clone() for x in (batch.boxes, batch.landmarks, batch.crop_landmarks))
    boxes[..., [2, 0]] = width - batch.boxes[..., [0, 2]]
    landmarks[..., 0] = width - landmarks[..., 0]
    crop_landmarks[..., 0] = 1 - crop_landmarks[..., 0]
    return batch._replace(
        frames=batch.frames.flip(-1),
        boxes=boxes,
        landmarks=landmarks[..., MIRRORED_LANDMARKS, :],
        crops=batch.crops.flip(-1),
        crop_landmarks=crop_landmarks[..., MIRRORED_LANDMARKS, :],
        masks=batch.masks.flip(-1),
    )
