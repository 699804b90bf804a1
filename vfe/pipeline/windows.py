"""Clips of any length in overlapping windows: frames are pushed in, whole windows come out, and their results are
cross-faded back into one clip. What a frame is does not matter here, but that the restored ones are tensors.
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
    """4k+1 keeps every window on the same groups of four frames, so that they differ only near their ends."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frames != padded_frames(self.frames):
            raise ValueError(f"window is {self.frames} frames, needed 4n+1: 1, 5, 9, ...")
        if not 0 <= 2 * self.overlap <= self.frames:
            raise ValueError(f"overlap is {self.overlap}, needed from 0 to half the window of {self.frames} frames")

    @classmethod
    def of(cls, frames: int) -> WindowConfig:
        """A window with the overlap of 4k+1 frames that suits it, about a quarter."""
        return cls(frames, frames // 16 * 4 + 1 if frames > 1 else 0)


@dataclass(frozen=True)
class Window:
    """Frames that are restored together."""

    frames: list[Tensor]
    start: int
    """Of its first frame in the clip."""
    fresh: int
    """Its first frame that no window before had; those before it are shared, or mere context."""


class WindowGatherer:
    """Frames of a clip in, windows out; a frame is kept for two windows at most.

    `held` are the frames of the window being gathered, the first of them frame `start` of the clip; its first ones were
    also in the window before.
    """

    def __init__(self, config: WindowConfig) -> None:
        self.config = config
        self._before: list[Tensor] = []
        self._held: list[Tensor] = []
        self._start = 0
        self._covered = 0  # frames of the clip that windows had

    def push(self, frame: Tensor) -> Window | None:
        """The window that this frame completes, if it does."""
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
        """The last window, if frames are left for one; it reaches back for its full context."""
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
    """Restored windows in, the frames of the clip out, each once.

    The last frames of a window wait to be cross-faded with those of the next.
    """

    def __init__(self, config: WindowConfig) -> None:
        self.config = config
        self.given = 0
        """Frames of the clip that came out."""
        self._tail: list[Tensor] = []

    def push(self, window: Window, restored: list[Tensor]) -> list[Tensor]:
        """The frames that no later window will change; `restored` are as many as the window has."""
        assert len(restored) == len(window.frames) and window.start <= self.given
        faded = self._blend(restored[self.given - window.start :])
        keep = max(len(faded) - self.config.overlap, 0)
        self._tail = [frame.clone() for frame in faded[keep:]]  # a view would keep the whole window in memory
        self.given += keep
        return faded[:keep]

    def finish(self) -> list[Tensor]:
        """The frames that still waited."""
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

    def window_for(self, height: int, width: int) -> WindowConfig: ...
    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]: ...


class ClipStream:
    """A clip frame by frame: what comes in comes out restored, in order, a window later at most.

    Memory is bounded by the window. Several may share a pipeline.
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
        """Frames that came out."""
        return 0 if self._fader is None else self._fader.given

    def push(self, frame: Tensor) -> list[Tensor]:
        """Restored frames that this frame, (3, H, W) or (B, 3, H, W) in [-1, 1], makes ready; mostly none."""
        if self._gatherer is None:
            config = self.pipeline.window_for(frame.shape[-2], frame.shape[-1])
            self._gatherer, self._fader = WindowGatherer(config), CrossFader(config)
        return self._restore(self._gatherer.push(frame))

    def finish(self) -> list[Tensor]:
        """The rest, when no frame follows."""
        if self._gatherer is None or self._fader is None:
            return []
        return self._restore(self._gatherer.finish()) + self._fader.finish()

    def _restore(self, window: Window | None) -> list[Tensor]:
        if window is None or self._fader is None:
            return []
        return self._fader.push(window, self.pipeline.restore_window(window.frames, self.strength, self.check))
