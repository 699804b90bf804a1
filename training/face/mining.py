"""Crops of what the detector takes for faces while it learns: the refiner's hardest examples.

B frames, N cells, K faces, S crop side.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vfe.face.detect.boxes import iou
from vfe.face.detect.net import Cells
from vfe.face.detect.upright import crop_matrices, roll_of, take_crops

from .batches import NO_FACE, FaceBatch
from .targets import Targets

BACKGROUND_IOU = 0.15
"""Overlap with every labelled face under which a found box is none of them."""


class Mined(NamedTuple):
    """Crops of what the detector found, and whether each shows a face."""

    crops: Tensor  # (2 B, 3, S, S) in [-1, 1]
    are_faces: Tensor  # (2 B,) bool


@torch.no_grad()
def mine(batch: FaceBatch, cells: Cells, targets: Targets, side: int) -> Mined:
    """Crop, from each frame, the surest cell that lies on no face and the surest one that answers for a face.

    A frame without faces gives its surest and its second surest cell.
    """
    crops, are_faces = [], []
    for index, frame in enumerate(batch.frames):
        scores, boxes = cells.scores[index], cells.boxes[index]
        known = batch.boxes[index][batch.kinds[index] != NO_FACE]
        apart = torch.ones_like(targets.positive[index])
        if len(known):
            apart = iou(boxes, known).amax(1) < BACKGROUND_IOU
        wrong = torch.where(apart & ~targets.positive[index], scores, -torch.inf).topk(2).indices
        right = torch.where(targets.positive[index], scores, -torch.inf).argmax()
        answered = bool(targets.positive[index].any())
        chosen = torch.stack([wrong[0], right if answered else wrong[1]])
        matrices = crop_matrices(boxes[chosen], roll_of(cells.landmarks[index, chosen]))
        crops.append(take_crops(frame, matrices, side))
        are_faces += [False, answered]
    return Mined(torch.cat(crops), torch.tensor(are_faces, device=batch.frames.device))
