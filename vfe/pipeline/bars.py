"""Black bars beside the picture, of a clip that was put into a frame of another shape: they stay as they are.

So they cost hardly any time, and no model sees the edge between black and picture, at which it would ring. Which rows
and columns are bars is decided for each window anew. Our own choice, all of it.

B batch, H W sides in pixels; frames are (3, H, W) or (B, 3, H, W) in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from types import EllipsisType
from typing import Literal

import torch
import torch.nn.functional as F
from einops import reduce
from torch import Tensor

from ..types import CheckCancelled
from .tiling import Span
from .windows import WindowConfig, WindowPipeline

BLOCK = 16
"""Pixels: a picture is restored as it lies on the grid of the blocks that codecs cut the whole frame into."""
LEAST_SIDE = 64
"""Pixels: a picture with less than that, as of a light in the dark, is restored with some black around it."""


def _level(of_255: float) -> float:
    return of_255 / 127.5 - 1


SOFT = 2
"""The most rows or columns that the edge between black and picture takes."""
BRIGHTEST, MEAN = _level(32), _level(3)
"""The most that a row or column of a bar has in one value, and on average: codecs ring into bars."""


@dataclass(frozen=True)
class BetweenBars:
    """Restores what `pipeline` restores, but for black bars."""

    pipeline: WindowPipeline

    def window_for(self, height: int, width: int) -> WindowConfig:
        """Return the windows in which frames of this size are restored."""
        return self.pipeline.window_for(height, width)

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        """Restore up to a window of frames, (3, H, W) or (B, 3, H, W), and return as many, on the CPU."""
        area = picture_area(frames)
        if area is None:
            check()
            return [frame.to("cpu") for frame in frames]
        if area.is_whole(frames[0]):
            return self.pipeline.restore_window(frames, strength, check)
        restored = self.pipeline.restore_window([area.cut(frame) for frame in frames], strength, check)
        return [area.put_cut(picture, frame) for picture, frame in zip(restored, frames, strict=True)]


@dataclass(frozen=True)
class PictureArea:
    """The rows and columns of a frame that the picture has."""

    rows: Span
    columns: Span

    @classmethod
    def whole(cls, frame: Tensor) -> PictureArea:
        """Return that of a frame without bars."""
        return cls(*(Span(0, side) for side in frame.shape[-2:]))

    def is_whole(self, frame: Tensor) -> bool:
        """Return whether a frame has no bars."""
        return self == self.whole(frame)

    def cut(self, frame: Tensor) -> Tensor:
        """Return the picture of a frame, with its first row and column repeated back to where blocks begin."""
        return F.pad(frame[self.slices], (self.columns.start % BLOCK, 0, self.rows.start % BLOCK, 0), mode="replicate")

    def put_cut(self, picture: Tensor, frame: Tensor) -> Tensor:
        """Return a frame on the CPU with what came of its `cut` in its place."""
        whole = frame.to("cpu", copy=True)
        height, width = (span.stop - span.start for span in (self.rows, self.columns))
        whole[self.slices] = picture[..., -height:, -width:]
        return whole

    def spread(self, frame: Tensor) -> Tensor:
        """Return a frame into whose bars the edge of its picture goes on, or itself where it has none."""
        if self.is_whole(frame):
            return frame
        height, width = frame.shape[-2:]
        left, right = self.columns.start, width - self.columns.stop
        margins = (left, right, self.rows.start, height - self.rows.stop)
        return F.pad(frame[self.slices], margins, mode="replicate")

    def put(self, changed: Tensor, frame: Tensor) -> Tensor:
        """Return the picture of `changed` with the bars of a frame, which has the same size."""
        if self.is_whole(frame):
            return changed
        whole = frame.clone()
        whole[self.slices] = changed[self.slices]
        return whole

    @property
    def slices(self) -> tuple[EllipsisType, slice, slice]:
        """The picture, as an index into frames."""
        return ..., slice(*self.rows), slice(*self.columns)


def picture_area(frames: list[Tensor]) -> PictureArea | None:
    """Return what of a window's frames is no bar in all of them, or None where all of them are black."""
    height, width = frames[0].shape[-2:]
    if not any(_is_black(line) for line in _border(frames[len(frames) // 2])):
        return PictureArea.whole(frames[0])
    spans = [_lit(frames, side) for side in ("h", "w")]
    if any(start == stop for start, stop in spans):
        return None
    rows, columns = (_grown(span, side) for span, side in zip(spans, (height, width), strict=True))
    return PictureArea(rows, columns)


def _border(frame: Tensor) -> tuple[Tensor, ...]:
    """The first and last row and column of a frame: most frames show by them that they have no bars."""
    return frame[..., 0, :], frame[..., -1, :], frame[..., 0], frame[..., -1]


def _is_black(line: Tensor) -> bool:
    return float(line.amax()) <= BRIGHTEST and float(line.mean()) <= MEAN


def _lit(frames: list[Tensor], side: Literal["h", "w"]) -> Span:
    """From the first to the last row, or column, that is no bar nor the soft edge to one; empty where there is none."""
    pattern = f"... h w -> {side}"
    brightest = torch.stack([reduce(frame, pattern, "max") for frame in frames]).amax(0)
    mean = torch.stack([reduce(frame, pattern, "mean") for frame in frames]).mean(0)
    lit = ((brightest > BRIGHTEST) | (mean > MEAN)).nonzero()
    if not len(lit):
        return Span(0, 0)
    first, last = int(lit[0]), int(lit[-1])
    after = len(mean) - 1 - last
    start = first + _soft(mean[first:]) if first else 0
    return Span(start, max(start, last - _soft(mean[: last + 1].flip(0)) if after else last) + 1)


def _soft(mean: Tensor) -> int:
    """How many of the first lines are a soft edge: less than half as bright as the next one. They stay, like bars."""
    light = (mean[: SOFT + 1] + 1).tolist()
    return next((at for at, (here, there) in enumerate(pairwise(light)) if 2 * here >= there), len(light) - 1)


def _grown(span: Span, side: int) -> Span:
    """A span of at least `LEAST_SIDE`, or of all there is."""
    start = min(span.start, max(0, side - LEAST_SIDE))
    return Span(start, max(span.stop, min(side, start + LEAST_SIDE)))
