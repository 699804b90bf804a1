"""The window of a clip: one square around all boxes, inside the frame, or a reason why there is none."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vfe.curation.config import ClipConfig
from vfe.curation.window import Rejected, Window, face_size, window_of

CONFIG = ClipConfig(least_face=40)


def moving(frames: int, start: tuple[float, float], step: tuple[float, float], face: float = 60) -> Tensor:
    """Boxes of a square face that moves on a straight line."""
    corners = torch.tensor(start) + torch.arange(frames)[:, None] * torch.tensor(step)
    return torch.cat([corners, corners + face], 1)


def window(boxes: Tensor, size: tuple[int, int], config: ClipConfig = CONFIG) -> Window | Rejected:
    return window_of(boxes, size, face_size(boxes), config)


@pytest.mark.parametrize("start", [(2.0, 3.0), (120.3, 60.7), (238.0, 118.0)])
@pytest.mark.parametrize("margin", [0.0, 0.3, 1.0])
def test_it_holds_all_boxes_and_lies_in_the_frame(start: tuple[float, float], margin: float) -> None:
    boxes = moving(5, start, (0.5, -0.25))
    found = window(boxes, (300, 180), ClipConfig(least_face=40, margin=margin))
    assert isinstance(found, Window)
    left, top, side = found
    assert side % 2 == 0
    inside = torch.tensor([left, top, left, top]) <= boxes.clamp(min=0) + 0.51  # corners are at whole pixels
    assert bool(inside.all())
    assert bool((boxes[:, 2:] <= torch.tensor([left + side, top + side]) + 0.51).all())
    assert min(left, top) >= 0
    assert left + side <= 300
    assert top + side <= 180


def test_a_margin_makes_it_larger_and_keeps_its_middle() -> None:
    boxes = moving(1, (100, 80), (0, 0))
    tight, wide = (window(boxes, (300, 220), ClipConfig(least_face=40, margin=m)) for m in (0.0, 0.5))
    assert tight == (100, 80, 60)
    assert wide == (85, 65, 90)


def test_where_the_margin_does_not_fit_the_frame_it_is_less() -> None:
    boxes = moving(1, (100, 10), (0, 0), face=120)
    assert window(boxes, (300, 140), ClipConfig(least_face=40, margin=0.5)) == (90, 0, 140)


def test_the_window_of_a_head_has_what_there_is_of_it() -> None:
    boxes = moving(1, (100, 10), (0, 0))
    config = ClipConfig(least_face=40, mask="head", margin=0.0)
    assert window(boxes, (300, 180), config) == (88, 0, 84), "the hair is above the frame"
    lower = moving(1, (100, 80), (0, 0))
    _, top, side = window(lower, (300, 180), config)  # type: ignore[misc]
    assert (top, top + side) == (54, 144)


@pytest.mark.parametrize(
    ("boxes", "reason"),
    [
        (moving(9, (5, 40), (28, 0)), "moves too far"),  # wider than the frame is high
        (moving(9, (5, 40), (12, 0)), "moves too far"),  # fits, but the window is 4 faces wide
        (moving(2, (-20, 40), (0, 0)), "cut off"),
        (moving(2, (50, 130), (0, 0)), "cut off"),
        (moving(2, (50, 50), (0, 0), face=30), "too small"),
    ],
)
def test_what_cannot_be_cut_out_has_a_reason(boxes: Tensor, reason: str) -> None:
    size = (360, 180) if "moves" not in reason or float(boxes[-1, 2]) > 200 else (360, 360)
    found = window(boxes, size, ClipConfig(least_face=40, most_window=2.5))
    assert isinstance(found, Rejected)
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(
    "changes",
    [{"side": 100}, {"least_frames": 34}, {"most_frames": 0}, {"most_frames": 9}, {"margin": -1.0}, {"steady": 0.0},
     {"mask": "hat"}, {"most_window": 0.5}],
)  # fmt: skip
def test_values_that_make_no_sense_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"need|above"):
        ClipConfig(**changes)  # type: ignore[arg-type]
