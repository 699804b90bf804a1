"""Tracks of faces that lie in given boxes, and the landmarks of a face of given size, roll and place."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vfe.face.detect.upright import crop_matrices
from vfe.face.paste.align import template
from vfe.face.track.tracks import FaceTrack, oval_masks


def track_of(boxes: Tensor, start: int = 0, number: int = 1) -> FaceTrack:
    """A face seen on every frame, upright, in boxes (n, 4)."""
    n = len(boxes)
    places = torch.tensor([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)])
    return FaceTrack(
        number=number,
        start=start,
        boxes=boxes,
        landmarks=boxes[:, None, :2] + places * (boxes[:, None, 2:] - boxes[:, None, :2]),
        scores=torch.ones(n),
        seen=torch.ones(n, dtype=torch.bool),
        presence=torch.ones(n),
        masks=oval_masks(boxes),
        matrices=crop_matrices(boxes, torch.zeros(n)),
    )


def moving_boxes(count: int, first: tuple[float, ...], step: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Boxes (count, 4) from the first one on, moved by `step` a frame."""
    return torch.tensor(first).float() + torch.arange(count)[:, None] * torch.tensor([*step, *step])


def template_landmarks(scale: float, roll: float, x: float, y: float) -> Tensor:
    """Landmarks (5, 2) of a face of `scale` pixels, turned, with the crop's middle at x, y."""
    turn = torch.tensor([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]], dtype=torch.float64)
    return (template() - 0.5) * scale @ turn.T + torch.tensor([x, y])
