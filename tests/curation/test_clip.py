"""What a scorer is given is checked."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from vfe.curation.clip import FaceClip

CLIP = FaceClip(
    frames=torch.zeros(3, 16, 16, 3, dtype=torch.uint8),
    boxes=torch.zeros(3, 4),
    landmarks=torch.zeros(3, 5, 2),
    confidence=torch.ones(3),
    face_px=12,
    fps=25,
)


def test_the_side_is_that_of_the_square() -> None:
    assert CLIP.side == 16


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frames", torch.zeros(3, 16, 12, 3, dtype=torch.uint8)),
        ("frames", torch.zeros(3, 16, 16, 3)),
        ("frames", torch.zeros(0, 16, 16, 3, dtype=torch.uint8)),
        ("boxes", torch.zeros(2, 4)),
        ("landmarks", torch.zeros(3, 2)),
        ("confidence", torch.zeros(4)),
        ("face_px", 0.0),
        ("fps", -1.0),
    ],
)
def test_what_does_not_fit_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match="needed"):
        replace(CLIP, **{name: value})  # type: ignore[arg-type]
