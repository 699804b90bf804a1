"""Moments and clips for metrics, made of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from tests.support.clips import picture
from vfe.score.faces import SeenFace
from vfe.score.metric import Metric, Scored, ScoredClip
from vfe.score.moment import Moment, Truth
from vfe.score.picture import Picture, Step

CLIP = ScoredClip(Path("clip.mp4"), frames_are_files=False)


def textured(height: int, width: int, seed: int = 0) -> Tensor:
    """A smooth random picture (3, H, W) uint8, in mid-tones."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 4 + 2, width // 4 + 2, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")[0]
    return (fine * 120 + 60).clamp(0, 255).byte()


def photo(index: int, width: int, height: int) -> Tensor:
    """A frame of the test clip as (3, H, W) uint8."""
    return torch.from_numpy(picture(index, width, height)).permute(2, 0, 1).contiguous()


def moments(
    shown: Sequence[Tensor],
    clean: Sequence[Tensor] | None = None,
    faces: Sequence[tuple[SeenFace | None, SeenFace | None]] | None = None,
) -> list[Moment]:
    """The moments of frames (3, H, W) uint8 beside clean ones, with (the clip's face, the reference's) on each."""
    made = []
    pictures = [Picture(frame) for frame in shown]
    truths = [None] * len(shown) if clean is None else [Picture(frame) for frame in clean]
    for index, (now, truth) in enumerate(zip(pictures, truths, strict=True)):
        own = Step(pictures[index - 1], now) if index else None
        before = truths[index - 1]
        guide = None if not index or truth is None or before is None else Step(before, truth)
        seen, known = (None, None) if faces is None else faces[index]
        made.append(Moment(index, now, own, Truth(truth, guide, guide, lambda k=known: k), lambda s=seen: s))  # type: ignore[misc]
    return made


def score(metric: Metric, seen: Sequence[Moment]) -> Scored:
    """What a metric says of moments."""
    metric.begin(CLIP)
    for moment in seen:
        metric.see(moment)
    return metric.scored()


def face_at(landmarks: Tensor, region: Tensor | None = None) -> SeenFace:
    """A face with landmarks (5, 2) and a region (H, W) bool."""
    return SeenFace(landmarks, lambda: torch.ones(1, dtype=torch.bool) if region is None else region)
