"""Similarity transforms of pictures and labels. A matrix (2, 3) takes xy of one plane in pixels to xy of another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vfe.face.detect.mirrored import MIRRORED_LANDMARKS

from .pictures import KnownFace, Picture


class Rect(NamedTuple):
    """A region of a canvas in whole pixels, half-open."""

    left: int
    top: int
    right: int
    bottom: int


class View(NamedTuple):
    """How a picture lies on a canvas: the picture's point `anchor` comes to lie on the canvas's point `position`."""

    anchor: np.ndarray
    position: np.ndarray
    scale: float
    """Pixels of the canvas per pixel of the picture."""
    roll: float = 0.0
    """Radians, clockwise as seen."""
    mirrored: bool = False

    def to_canvas(self) -> np.ndarray:
        """The matrix (2, 3) from the picture to the canvas."""
        cos, sin = np.cos(self.roll) * self.scale, np.sin(self.roll) * self.scale
        flip = -1.0 if self.mirrored else 1.0
        linear = np.array([[cos * flip, -sin], [sin * flip, cos]])
        return np.concatenate([linear, (self.position - linear @ self.anchor)[:, None]], axis=1)


def invert(matrix: np.ndarray) -> np.ndarray:
    """The matrix (2, 3) of the opposite direction."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -(linear @ matrix[:, 2:])], axis=1)


def move(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points (..., 2) taken through a matrix (2, 3)."""
    moved: np.ndarray = (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    return moved


def move_face(face: KnownFace, view: View) -> KnownFace:
    """The label on the canvas. An outline gives the box that touches the turned face, corners only surround it."""
    matrix = view.to_canvas()
    corners = face.box[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2)
    outline = None if face.outline is None else move(face.outline, matrix)
    around = move(corners, matrix) if outline is None else outline
    landmarks = None
    if face.landmarks is not None:
        landmarks = move(face.landmarks, matrix)
        landmarks = landmarks[MIRRORED_LANDMARKS] if view.mirrored else landmarks
    box = np.concatenate([around.min(axis=0), around.max(axis=0)])
    return KnownFace(box=box, landmarks=landmarks, outline=outline)


def extent(picture: Picture, matrix: np.ndarray, height: int, width: int) -> Rect:
    """The part of a canvas that the placed picture may touch."""
    corners = np.array([[0, 0], [picture.width, 0], [0, picture.height], [picture.width, picture.height]])
    placed = move(corners, matrix)
    left, top = np.floor(placed.min(axis=0)).astype(int)
    right, bottom = np.ceil(placed.max(axis=0)).astype(int)
    return Rect(max(left, 0), max(top, 0), min(right, width), min(bottom, height))


def sample(picture: Picture, matrix: np.ndarray, rect: Rect) -> Tensor:
    """The placed picture inside of `rect`: (4, h, w), colours 0 to 255 and whether the picture is there, 0 to 1.

    `matrix` takes the picture to the canvas. The size of the picture that is sampled is the next above the needed one.
    """
    back = invert(matrix)
    step = float(np.sqrt(abs(np.linalg.det(back[:, :2]))))  # picture pixels per canvas pixel
    level = int(np.clip(np.floor(np.log2(max(step, 1e-6)) + 0.3), 0, len(picture.levels) - 1))
    image = picture.levels[level]
    height, width = image.shape[1:]
    y = torch.arange(rect.top, rect.bottom, dtype=torch.float32) + 0.5
    x = torch.arange(rect.left, rect.right, dtype=torch.float32) + 0.5
    norm = np.array([2 / picture.width, 2 / picture.height])
    a = back * norm[:, None]
    grid_x = (float(a[0, 0]) * x)[None] + (float(a[0, 1]) * y)[:, None] + float(a[0, 2]) - 1
    grid_y = (float(a[1, 0]) * x)[None] + (float(a[1, 1]) * y)[:, None] + float(a[1, 2]) - 1
    grid = torch.stack([grid_x, grid_y], dim=-1)[None]
    colour = F.grid_sample(image[None].float(), grid, padding_mode="border", align_corners=False)[0]
    inside_x = ((1 - grid_x.abs()) * width / 2 + 0.5).clamp(0, 1)
    inside_y = ((1 - grid_y.abs()) * height / 2 + 0.5).clamp(0, 1)
    return torch.cat([colour, (inside_x * inside_y)[None]])


def sample_mask(mask: Tensor, picture: Picture, matrix: np.ndarray, rect: Rect) -> Tensor:
    """A mask (h, w) over the whole picture, as seen in `rect`, of 0 and 1."""
    plane = Picture(levels=(mask[None],))
    scale = np.diag([picture.width / mask.shape[1], picture.height / mask.shape[0]])
    placed = np.concatenate([matrix[:, :2] @ scale, matrix[:, 2:]], axis=1)
    seen = sample(plane, placed, rect)
    return (seen[0] * seen[1] > 0.5).float()
