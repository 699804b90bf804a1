"""The one square window of a clip: around all boxes of the face, with a margin, inside the frame.

T frames. Boxes are xyxy in pixels of the frame.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from .config import ClipConfig
from .head import head_boxes

OUTSIDE = 0.05
"""How far a box may reach beyond the frame, in sizes of the face: detectors are not surer than that."""


class Window(NamedTuple):
    """A square of a frame at whole pixels; its side is even."""

    left: int
    top: int
    side: int


class Rejected(NamedTuple):
    """There is no window, for this reason."""

    reason: str


def face_size(boxes: Tensor) -> float:
    """Return the median size of faces with boxes (T, 4): the square root of the area, in pixels."""
    return float((boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1).sqrt().median())


def window_of(boxes: Tensor, size: tuple[int, int], face: float, config: ClipConfig) -> Window | Rejected:
    """Return the window around faces with boxes (T, 4) in frames of `size` (width, height), or around their heads.

    `face` is the size of the face in them, as `face_size` gives it. A face has to be in the frame; of a head, what
    there is of it.
    """
    width, height = size
    if face < config.least_face:
        return Rejected(f"too small: the face has {face:.0f} of {config.least_face:.0f} pixels")
    left, top, right, bottom = _around(boxes)
    outside = OUTSIDE * face
    if left < -outside or top < -outside or right > width + outside or bottom > height + outside:
        return Rejected("cut off: the face leaves the frame")
    if config.mask == "head":
        left, top, right, bottom = _around(head_boxes(boxes))
    left, top, right, bottom = max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height)
    needed = max(right - left, bottom - top)
    side = _even(needed * (1 + config.margin))
    largest = min(width, height) // 2 * 2
    if side > largest:
        if needed > largest:
            return Rejected(f"moves too far: needs {needed:.0f} pixels, the frame has {largest}")
        side = largest
    if side > config.most_window * face:
        return Rejected(f"moves too far: the window is {side / face:.1f} times as wide as the face")
    x, y = (_placed(low, high, side, most) for low, high, most in ((left, right, width), (top, bottom, height)))
    return Window(x, y, side)


def _around(boxes: Tensor) -> tuple[float, float, float, float]:
    """Return the box around boxes (T, 4)."""
    left, top = boxes[:, :2].min(0).values.tolist()
    right, bottom = boxes[:, 2:].max(0).values.tolist()
    return left, top, right, bottom


def _even(length: float) -> int:
    """Return the nearest even number that is not below a length by more than a rounding."""
    return -int(-length // 2) * 2


def _placed(low: float, high: float, side: int, most: int) -> int:
    """Return where the window begins along an axis: around the middle of [low, high], and within [0, most]."""
    return min(max(round((low + high - side) / 2), 0), most - side)
