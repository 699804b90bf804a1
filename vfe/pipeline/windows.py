"""Clips of any length in overlapping windows of time: frames are pushed in, whole windows come out, and the restored
windows are cross-faded back into one clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..types import FRAMES_PER_LATENT, CheckCancelled, never_cancelled, padded_frames
from .tiling import ramp


@dataclass(frozen=True)
class WindowConfig:
    """Frames restored at once, and the overlap over which neighbouring windows are cross-faded."""

    frames: int = 25
    overlap: int = 5
    """With 4k+1 shared frames all windows begin on the clip's groups of four, and differ only near their ends."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frames != padded_frames(self.frames):
            raise ValueError(f"window is {self.frames} frames, needed 4n+1: 1, 5, 9, ...")
        if not 0 <= 2 * self.overlap <= self.frames:
            raise ValueError(f"overlap is {self.overlap}, needed from 0 to half the window of {self.frames} frames")

    @classmethod
    def of(cls, frames: int) -> WindowConfig:
        """Return a window of `frames` with an overlap of 4k+1 frames, about a quarter of it."""
        return cls(frames, frames // 16 * 4 + 1 if frames > 1 else 0)


@dataclass(frozen=True)
class Window:
    """Frames that are restored together."""

    frames: list[Tensor]
    start: int
    """The number in the clip of the window's first frame, from 0."""
    fresh: int
    """The number in the window of the first frame that no window before it had. The frames before that one are shared
    with the window before, or only there to be seen."""


class WindowGatherer:
    """Collects the frames of a clip into windows; a frame is kept for two windows at most."""

    def __init__(self, config: WindowConfig) -> None:
        self.config = config
        self._before: list[Tensor] = []  # the frames of the window before
        self._held: list[Tensor] = []  # those of the window to come, of which the first were in the one before too
        self._start = 0  # the number in the clip of the first frame held
        self._covered = 0  # how many frames of the clip were in a window

    def push(self, frame: Tensor) -> Window | None:
        """Take a frame, and return the window that it completes, if it completes one."""
        size = self.config.frames
        self._held.append(frame)
        if len(self._held) < size:
            return None
        window = self._window(self._held, self._start)
        keep = size - self.config.overlap
        self._before, self._held = self._held, self._held[keep:]
        self._start += keep
        return window

    def finish(self) -> Window | None:
        """Return the last window, if frames are left for one; it reaches back so far that it is whole."""
        size, overlap = self.config.frames, self.config.overlap
        if self._start + len(self._held) <= self._covered:
            return None
        whole = (self._before[: size - overlap] + self._held)[-size:]
        start = self._start + len(self._held) - len(whole)
        off_grid = min(-start % FRAMES_PER_LATENT, self._start - start)  # it stays on the clip's groups of four
        return self._window(whole[off_grid:], start + off_grid)

    def _window(self, frames: list[Tensor], start: int) -> Window:
        window = Window(frames, start, self._covered - start)
        self._covered = start + len(frames)
        return window


class CrossFader:
    """Joins restored windows: gives each frame of the clip once, cross-faded where two windows share it.

    The last frames of a window wait for those of the next.
    """

    def __init__(self, config: WindowConfig) -> None:
        self.config = config
        self.given = 0
        """How many frames of the clip came out."""
        self._tail: list[Tensor] = []

    def push(self, window: Window, restored: list[Tensor]) -> list[Tensor]:
        """Take a restored window, and return the frames that no later window will change."""
        assert len(restored) == len(window.frames) and window.start <= self.given
        faded = self._blend(restored[self.given - window.start :])
        keep = max(len(faded) - self.config.overlap, 0)
        self._tail = [frame.clone() for frame in faded[keep:]]  # a view would keep the whole window in memory
        self.given += keep
        return faded[:keep]

    def finish(self) -> list[Tensor]:
        """Return the frames that still waited, when no window follows."""
        tail, self._tail = self._tail, []
        self.given += len(tail)
        return tail

    def _blend(self, restored: list[Tensor]) -> list[Tensor]:
        """Cross-fade the former window's last frames into the first of this one."""
        weights = ramp(len(self._tail)).tolist()
        faded = [torch.lerp(old, new, weight) for old, new, weight in zip(self._tail, restored, weights, strict=False)]
        return faded + restored[len(self._tail) :]


@runtime_checkable
class WindowPipeline(Protocol):
    """The part of `OneStepPipeline` that a clip needs."""

    def window_for(self, height: int, width: int) -> WindowConfig:
        """Return the windows in which frames of this size are restored."""
        ...

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        """Restore up to a window of frames, (3, H, W) or (B, 3, H, W), and return as many.

        For a model that sees the original, a frame may be (6, H, W), with that after it.
        """
        ...


class ClipStream:
    """Restores a clip that is given frame by frame; the restored frames come out in order, a window later at most.

    Memory is bounded by the window. Several streams may share a pipeline.
    """

    def __init__(
        self, pipeline: WindowPipeline, strength: float = 1.0, check: CheckCancelled = never_cancelled
    ) -> None:
        """`check` is called between the stages of a window; what it raises stops the work."""
        self.pipeline = pipeline
        self.strength = strength
        self.check = check
        self._gatherer: WindowGatherer | None = None
        self._fader: CrossFader | None = None

    @property
    def given(self) -> int:
        """How many frames came out."""
        return 0 if self._fader is None else self._fader.given

    def push(self, frame: Tensor) -> list[Tensor]:
        """Take a frame, (3, H, W) or (B, 3, H, W) in [-1, 1], and return the restored frames that are ready by then."""
        if self._gatherer is None:
            config = self.pipeline.window_for(frame.shape[-2], frame.shape[-1])
            self._gatherer, self._fader = WindowGatherer(config), CrossFader(config)
        return self._restore(self._gatherer.push(frame))

    def finish(self) -> list[Tensor]:
        """Return the rest, when no frame follows."""
        if self._gatherer is None or self._fader is None:
            return []
        return self._restore(self._gatherer.finish()) + self._fader.finish()

    def _restore(self, window: Window | None) -> list[Tensor]:
        if window is None or self._fader is None:
            return []
        return self._fader.push(window, self.pipeline.restore_window(window.frames, self.strength, self.check))
