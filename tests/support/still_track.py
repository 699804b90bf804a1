"""The track of a face that does not move."""

from __future__ import annotations

import torch

from vfe.face.detect.upright import crop_matrices
from vfe.face.track.tracks import FaceTrack, oval_masks


def track(number: int, start: int, frames: int, left: float, side: float = 50, unseen: int = 0) -> FaceTrack:
    """A face that does not move, and is out of sight on the first frames."""
    boxes = torch.tensor([[left, 20, left + side, 20 + side]]).repeat(frames, 1)
    seen = torch.arange(frames) >= unseen
    return FaceTrack(
        number=number, start=start, boxes=boxes, landmarks=torch.zeros(frames, 5, 2) + left, scores=seen.float(),
        seen=seen, presence=torch.ones(frames), masks=oval_masks(boxes),
        matrices=crop_matrices(boxes, torch.zeros(frames)),
    )  # fmt: skip
