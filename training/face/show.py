"""Pictures to look at: what the face net finds on dev scenes, with boxes, landmarks and regions drawn in."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from vfe.face.detect.detector import Face, FaceDetector

from ..data.sheets import write_sheet
from .pictures import read_manifest
from .score import scene_frames

TILE_SIZE = (270, 360)
BOX_COLOUR, POINT_COLOUR, LABEL_COLOUR = (-1.0, 1.0, -1.0), (1.0, 1.0, -1.0), (1.0, -1.0, -1.0)


def write_found(path: Path, detector: FaceDetector, root: Path, columns: int = 4) -> None:
    """A PNG of `columns` frames of each scene of `root`: found faces in green and tinted, labelled boxes in red."""
    rows = []
    for item in read_manifest(root):
        if item["kind"] != "scene_video":
            continue
        stride = max(item["frames"] // columns, 1)
        frames = list(scene_frames(root, item, stride))[:columns]
        rows.append([tile(marked(detector, frame, known)) for frame, known in frames])
    if rows:
        blank = torch.zeros(*TILE_SIZE, 3, dtype=torch.uint8)
        write_sheet(path, [row + [blank] * (columns - len(row)) for row in rows])


def marked(detector: FaceDetector, frame: Tensor, known: Tensor) -> Tensor:
    """The frame (3, H, W) with labelled boxes (K, 4) and all that is found in it."""
    drawn = frame.clone()
    for box in known:
        draw_box(drawn, box, LABEL_COLOUR)
    for face in detector.detect(frame):
        drawn[2] = torch.maximum(drawn[2], detector.mask(frame, face).cpu() * 1.2 - 1)
        draw_face(drawn, face)
    return drawn


def draw_face(frame: Tensor, face: Face) -> None:
    """Draw the box and the landmarks of a face into the frame (3, H, W)."""
    draw_box(frame, face.box, BOX_COLOUR)
    for point in face.landmarks:
        draw_box(frame, torch.cat([point - 1, point + 1]), POINT_COLOUR)


def draw_box(frame: Tensor, box: Tensor, colour: tuple[float, float, float]) -> None:
    """The border of a box (4,) xyxy, two pixels wide, as far as it lies in the frame."""
    height, width = frame.shape[1:]
    left, top, right, bottom = (int(value) for value in box.round())
    inside = torch.zeros(height, width, dtype=torch.bool)
    inside[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    inside[max(top + 2, 0) : max(bottom - 2, 0), max(left + 2, 0) : max(right - 2, 0)] = False
    frame[:, inside] = torch.tensor(colour)[:, None]


def tile(frame: Tensor) -> Tensor:
    """A frame (3, H, W) in [-1, 1] as (270, 360, 3) uint8, whole, on black."""
    scale = min(TILE_SIZE[0] / frame.shape[1], TILE_SIZE[1] / frame.shape[2])
    size = [round(frame.shape[1] * scale), round(frame.shape[2] * scale)]
    small = F.interpolate(frame[None], size=size, mode="bilinear", antialias=True)[0]
    padded = F.pad(small, [0, TILE_SIZE[1] - size[1], 0, TILE_SIZE[0] - size[0]], value=-1)
    return ((padded.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).contiguous()
