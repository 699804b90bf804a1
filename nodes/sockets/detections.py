"""Face boxes that other nodes found, as a BOUNDING_BOX link carries them, for each frame of a clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...vfe.types import VFEError

BOX_KEYS = ("x", "y", "width", "height")
"""The keys of a box, in pixels; x and y are of its left upper corner."""


def boxes_of(detections: Any, frames: int) -> list[Tensor]:  # noqa: ANN401 - whatever another node gives
    """Return boxes (n, 4) xyxy in pixels for each of `frames`.

    Known forms: a list for each frame of boxes {x, y, width, height}; one box for each frame; or one list or box, which
    then holds for all. Raises VFEError for anything else.
    """
    if isinstance(detections, Mapping):
        detections = [detections]
    if not isinstance(detections, list | tuple):
        raise VFEError(f"detections are {type(detections).__name__}, needed are boxes with {', '.join(BOX_KEYS)}")
    if all(isinstance(item, Mapping) for item in detections):
        each = [[box] for box in detections] if len(detections) == frames else [list(detections)] * frames
    else:
        each = [list(boxes) if isinstance(boxes, list | tuple) else [boxes] for boxes in detections]
        each = each * frames if len(each) == 1 else each
    if len(each) != frames:
        raise VFEError(
            f"detections are for {len(each)} frames, the IMAGE has {frames}; needed is a list for each frame"
        )
    return [torch.tensor([_corners(box) for box in boxes]).view(-1, 4) for boxes in each]


def _corners(box: Any) -> list[float]:  # noqa: ANN401 - whatever another node gives
    """Return a box as left, top, right and bottom; VFEError for anything that is none."""
    try:
        left, top, width, height = (float(box[key]) for key in BOX_KEYS)
    except (KeyError, TypeError, ValueError, IndexError):
        raise VFEError(f"a detection is {box!r}, needed is a box with {', '.join(BOX_KEYS)} in pixels") from None
    return [left, top, left + width, top + height]
