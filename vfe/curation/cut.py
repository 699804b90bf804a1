"""A clip is cut out of its source: one constant crop, resized once, with the labels that go with it.

T frames, H W sides of the source, S side of the crop, M side of a mask.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from ..face.paste.crop_box import CropBox
from ..face.paste.resample import take_crop
from ..types import Stretch, VFEError
from ..video.frame_table import FrameTable
from ..video.read import open_source
from .clip import FaceClip
from .masks import HeadParser, grown_masks, oval_masks
from .steady import SteadyFace
from .window import Window


@dataclass(frozen=True, eq=False)
class Labels:
    """Where the face is in a clip."""

    masks: Tensor  # (T, M, M) bool
    boxes: Tensor  # (T, 4) float32, xyxy in pixels of the crop
    landmarks: Tensor  # (T, 5, 2) float32
    seen: Tensor  # (T,) bool: where it is measured and not interpolated


def cut_frames(path: Path, table: FrameTable, stretch: Stretch, window: Window, side: int) -> Tensor:
    """Return the crops (T, S, S, 3) uint8 of a stretch, antialiased where they shrink.

    Raises VFEError where the source is not what it was when it was surveyed.
    """
    box = CropBox(*map(float, window))
    crops = torch.empty(len(stretch), side, side, 3, dtype=torch.uint8)
    count = 0
    with open_source(path) as source, closing(source.frames_from(stretch.start, table)) as frames:
        for frame in islice(frames, len(stretch)):
            crop = (take_crop(frame.pixels, box, side) + 1) * 127.5
            crops[count] = crop.round_().clamp_(0, 255).byte().permute(1, 2, 0)
            count += 1
    if count < len(stretch):
        raise VFEError(f"{path}: ends at frame {stretch.start + count}, which it did not before; start anew")
    return crops


def labels_of(face: SteadyFace, window: Window, side: int, masks: Tensor) -> Labels:
    """Return the labels of a face in the crops of a window with S = `side`, with its masks (T, M, M)."""
    corner, scale = face.boxes.new_tensor([window.left, window.top]), side / window.side
    return Labels(
        masks=masks,
        boxes=((face.boxes - corner.repeat(2)) * scale).float(),
        landmarks=((face.landmarks - corner) * scale).float(),
        seen=face.seen,
    )


def face_clip(frames: Tensor, labels: Labels, face: SteadyFace, fps: float) -> FaceClip:
    """Return a face as scorers see it, from the crops (T, S, S, 3) of its clip and their labels."""
    return FaceClip(
        frames=frames,
        boxes=labels.boxes,
        landmarks=labels.landmarks,
        confidence=face.scores.float(),
        face_px=face.size,
        fps=fps,
    )


def masks_of(frames: Tensor, face: SteadyFace, window: Window, kind: str, parser: HeadParser | None) -> Tensor:
    """Return the masks (T, M, M) bool of a kind; heads by the parser where there is one."""
    if kind == "oval":
        return oval_masks(face, window)
    return grown_masks(face, window) if parser is None else parser(frames) > 0.5
