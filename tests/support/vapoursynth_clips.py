"""Clips of VapourSynth that are made of arrays, and stand-ins for what restores them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import vapoursynth as vs
from torch import Tensor

from tests.support.clips import picture
from tests.support.mixing_pipeline import MixingPipeline
from vfe.types import CheckCancelled

WIDTH, HEIGHT = 64, 48


def rgb_clip(pictures: Sequence[npt.NDArray[np.uint8]]) -> vs.VideoNode:
    """A clip of pictures (H, W, 3)."""
    height, width = pictures[0].shape[:2]
    base = vs.core.std.BlankClip(
        width=width, height=height, format=vs.RGB24, length=len(pictures), fpsnum=25, fpsden=1, keep=True
    )

    def paint(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        painted = f.copy()
        for plane in range(3):
            np.copyto(np.asarray(painted[plane]), pictures[n][:, :, plane])
        return painted

    return base.std.ModifyFrame(base, paint)


def moving(count: int) -> vs.VideoNode:
    """A smooth gradient with a square that moves, RGB24."""
    return rgb_clip([picture(index, WIDTH, HEIGHT) for index in range(count)])


def planes_of(frame: vs.VideoFrame) -> list[npt.NDArray[Any]]:
    """Copies of the planes of a frame."""
    return [np.asarray(frame[plane]).copy() for plane in range(frame.format.num_planes)]


def all_planes(clip: vs.VideoNode) -> list[list[npt.NDArray[Any]]]:
    """The planes of all frames, asked for in their order, several at once."""
    return [planes_of(frame) for frame in clip.frames(close=True)]


def furthest(
    ours: Sequence[Sequence[npt.NDArray[Any]]], theirs: Sequence[Sequence[npt.NDArray[Any]]], planes: int | None = None
) -> float:
    """By how much two clips differ at most, in code values or, for floats, in 1/255 of white."""
    scale = 255.0 if ours[0][0].dtype.kind == "f" else 1.0
    apart = 0.0
    for one, other in zip(ours, theirs, strict=True):
        for ours_of, theirs_of in zip(one[:planes], other[:planes], strict=True):
            apart = max(apart, float(np.abs(ours_of.astype(np.float64) - theirs_of.astype(np.float64)).max()))
    return scale * apart


class Watching(MixingPipeline):
    """Gives frames back as they are, and keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        del strength, check
        self.windows += 1
        self.seen += frames
        return frames
