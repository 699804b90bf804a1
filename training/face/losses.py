"""The terms of the face net's loss. Each is a mean over the frames or crops of a batch.

B frames, N cells, K faces, F crops, S crop side.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor

from vfe.face.detect.net import Cells, Closeup

from .batches import FACE_WITH_BOX_ONLY
from .targets import Targets

FACE_WEIGHT = 0.4
"""The weight of cells with a face against those without, which are many more, in the focal loss."""
SCENE_BOX_WEIGHT = 0.3
"""Scenes are labelled by a detector whose boxes are squares."""


def focal_loss(logits: Tensor, truth: Tensor, gamma: float = 2.0) -> Tensor:
    """Lin et al. 2017, equation 5, without a sum: cross entropy less where the answer is right already."""
    chance = torch.sigmoid(logits)
    wrong = torch.where(truth > 0.5, 1 - chance, chance)
    weight = torch.where(truth > 0.5, FACE_WEIGHT, 1 - FACE_WEIGHT)
    return weight * wrong**gamma * F.binary_cross_entropy_with_logits(logits, truth, reduction="none")


def giou_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """1 - generalised IoU of boxes (..., 4) xyxy (Rezatofighi et al. 2019): 0 for equal ones, up to 2."""
    overlap = torch.minimum(found[..., 2:], wanted[..., 2:]) - torch.maximum(found[..., :2], wanted[..., :2])
    around = torch.maximum(found[..., 2:], wanted[..., 2:]) - torch.minimum(found[..., :2], wanted[..., :2])
    common, hull = overlap.clamp(min=0).prod(-1), around.prod(-1)
    union = (found[..., 2:] - found[..., :2]).prod(-1) + (wanted[..., 2:] - wanted[..., :2]).prod(-1) - common
    return 1 - common / union.clamp(min=1e-6) + (hull - union) / hull.clamp(min=1e-6)


def point_loss(found: Tensor, wanted: Tensor, beta: float) -> Tensor:
    """Smooth L1 over points (..., 5, 2), 0 where the wanted ones are NaN: (...)."""
    known = ~wanted.isnan()
    error = F.smooth_l1_loss(found, wanted.nan_to_num(), beta=beta, reduction="none")
    return (error * known).mean((-1, -2))


def frame_terms(cells: Cells, targets: Targets, labels: tuple[Tensor, Tensor, Tensor]) -> dict[str, Tensor]:
    """Scores, boxes and landmarks of the detector; `labels` are kinds, boxes and landmarks of each frame's faces.

    Within a frame terms are means over the cells that answer for a face.
    """
    kinds, boxes, landmarks = labels
    answers = targets.positive.sum(-1).clamp(min=1)
    scores = focal_loss(cells.scores, targets.positive.float()) * targets.counted
    wanted_boxes = boxes.gather(1, repeat(targets.face, "b n -> b n c", c=4))
    wanted_points = landmarks.flatten(2).gather(1, repeat(targets.face, "b n -> b n c", c=10))
    kind = kinds.gather(1, targets.face)
    trust = torch.where(kind == FACE_WITH_BOX_ONLY, SCENE_BOX_WEIGHT, 1.0) * targets.positive
    box = giou_loss(cells.boxes, wanted_boxes) * trust
    # Cells that answer for no face are compared with a face of side 1, for no division by nothing.
    sides = (wanted_boxes[..., 2:] - wanted_boxes[..., :2]).clamp(min=1).prod(-1).sqrt()[..., None, None]
    offsets = (cells.landmarks - rearrange(wanted_points, "b n (k xy) -> b n k xy", xy=2).nan_to_num()) / sides
    known = ~rearrange(wanted_points, "b n (k xy) -> b n k xy", xy=2).isnan()
    wanted = torch.where(known, 0.0, torch.nan)
    points = torch.where(targets.positive, point_loss(offsets, wanted, beta=0.05), 0.0)
    return {
        "face_score": 2 * (scores.sum(-1) / answers).mean(),
        "face_box": 1.5 * (box.sum(-1) / answers).mean(),
        "face_points": 5 * (points.sum(-1) / answers).mean(),
    }


def crop_terms(seen: Closeup, are_faces: Tensor, landmarks: Tensor, masks: Tensor) -> dict[str, Tensor]:
    """Score, landmarks and mask of the refiner: `are_faces` (F,), `landmarks` (F, 5, 2), `masks` (F, S, S) or -1."""
    known = (masks[:, 0, 0] >= 0).float()
    truth = masks.clamp(min=0).float()
    pixels = F.binary_cross_entropy_with_logits(seen.mask, truth, reduction="none").mean((1, 2))
    chance = torch.sigmoid(seen.mask)
    dice = 1 - 2 * (chance * truth).sum((1, 2)) / (chance.sum((1, 2)) + truth.sum((1, 2)) + 1)
    return {
        "crop_score": F.binary_cross_entropy_with_logits(seen.scores, are_faces.float()),
        "crop_points": 20 * point_loss(seen.landmarks, landmarks, beta=0.01).mean(),
        "crop_mask": ((pixels + dice) * known).mean(),
    }
