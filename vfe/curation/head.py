"""How large a head is, with hair and ears, where only the box of its face is known."""

from __future__ import annotations

import torch
from torch import Tensor

HEAD = (0.2, 0.42, 0.2, 0.06)
"""How far a head goes beyond the face's box on the left, top, right and bottom, in widths and heights of the box.

Set by eye on clips of heads with hair and ears: our own choice.
"""


def head_boxes(boxes: Tensor) -> Tensor:
    """Return boxes (T, 4) xyxy of faces, grown to those of heads."""
    width, height = (boxes[:, 2:] - boxes[:, :2]).unbind(-1)
    left, top, right, bottom = HEAD
    return boxes + torch.stack([-left * width, -top * height, right * width, bottom * height], -1)
