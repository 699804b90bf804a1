"""Clips of any length in overlapping windows of time: frames are pushed in, whole windows come out, and the restored
windows are cross-faded back into one clip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..types import FRAMES_PER_LATENT, CheckCancelled, Stretch, never_cancelled, padded_frames
from .tiling import ramp


@dataclass(frozen=True)
class WindowConfig:
    """Frames restored at once, and the overlap over which neighbouring windows are cross-faded."""

    frames: int = 25
    overlap: int = 1
    """With 4k+1 shared frames all windows begin on the clip's groups of four, and differ only near their ends.

    One is enough for lite, and is the default: near their ends windows are 45 to 60 dB from a clip that is restored as
    a whole. Five, which bring them 2 to 5 dB nearer, cost a fifth of the time.
    """

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
class WindowGrid:
    """Where the windows of a clip of `frames` frames lie, which follows from their number alone."""

    config: WindowConfig
    frames: int

    @property
    def step(self) -> int:
        """How many frames a window starts after the one before it; only the last one may be nearer."""
        return self.config.frames - self.config.overlap

    @property
    def last(self) -> int:
        """The number of the last window, from 0."""
        regular = self._regular
        covered = regular * self.step + self.config.overlap if regular else 0
        return regular if self.frames > covered else regular - 1

    def window(self, number: int) -> Stretch:
        """Return the frames of a window; the last one reaches back so far that it is whole."""
        start = number * self.step
        if number >= self._regular:
            whole = max(0, self.frames - self.config.frames)
            start = whole + min(-whole % FRAMES_PER_LATENT, start - whole)  # it stays on the clip's groups of four
        return Stretch(start, min(start + self.config.frames, self.frames))

    def needed(self, wanted: Stretch) -> Stretch:
        """Return the frames of all windows that the restored frames of a stretch are made of."""
        first = min(max(0, wanted.start - self.config.overlap) // self.step, self.last)
        last = min((wanted.stop - 1) // self.step, self.last)
        return Stretch(self.window(first).start, self.window(last).stop)

    @property
    def _regular(self) -> int:
        """How many windows are whole without reaching back."""
        return max(0, (self.frames - self.config.overlap) // self.step)


@dataclass(frozen=True)
class ClipPart:
    """The frames that are wanted of a clip of `frames` frames. Raises ValueError where it has not so many."""

    wanted: Stretch
    frames: int

    def __post_init__(self) -> None:
        if self.wanted.stop > self.frames:
            raise ValueError(
                f"frames {self.wanted.start} to {self.wanted.stop - 1} are wanted, the clip has {self.frames}"
            )

    def needed(self, config: WindowConfig) -> Stretch:
        """Return the frames that go into the wanted ones."""
        return WindowGrid(config, self.frames).needed(self.wanted)


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

    def __init__(self, config: WindowConfig, first: int = 0) -> None:
        """`first` is the number in the clip of the first frame that comes, with which one of its windows starts."""
        self.config = config
        self._before: list[Tensor] = []  # the frames of the window before
        self._held: list[Tensor] = []  # those of the window to come, of which the first were in the one before too
        self._start = first  # the number in the clip of the first frame held
        self._covered = first  # how many frames of the clip were in a window, or are not asked for

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
        count = self._start + len(self._held)
        if count <= self._covered:
            return None
        grid = WindowGrid(self.config, count)
        last = grid.window(grid.last)
        return self._window((self._before[: grid.step] + self._held)[-len(last) :], last.start)

    def _window(self, frames: list[Tensor], start: int) -> Window:
        window = Window(frames, start, self._covered - start)
        self._covered = start + len(frames)
        return window


class CrossFader:
    """Joins restored windows: gives each frame of the clip once, cross-faded where two windows share it.

    The last frames of a window wait for those of the next.
    """

    def __init__(self, config: WindowConfig, first: int = 0) -> None:
        """`first` is the number in the clip of the first window's first frame."""
        self.config = config
        self.given = first
        """The number in the clip of the frame that comes out next."""
        self._tail: list[Tensor] = []

    def push(self, window: Window, restored: list[Tensor]) -> list[Tensor]:
        """Take a restored window, and return the frames that no later window will change."""
        assert len(restored) == len(window.frames) and window.start <= self.given
        faded = self._blend(restored[self.given - window.start :])
        keep = max(len(faded) - self.config.overlap, 0)
        # Views would keep the whole window in memory: those that wait for the next one, and the last that is given,
        # which a loop over the frames holds on to meanwhile.
        first_copied = max(keep - 1, 0)
        faded[first_copied:] = [frame.clone() for frame in faded[first_copied:]]
        self._tail = faded[keep:]
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
        """Restore up to a window of frames, (3, H, W) or (B, 3, H, W), and return as many, which the caller may change.

        For a model that sees the original, a frame may be (6, H, W), with that after it.
        """
        ...


class ClipStream:
    """Restores a clip that is given frame by frame; the restored frames come out in order, a window later at most.

    Memory is bounded by the window. Several streams may share a pipeline.
    """

    def __init__(
        self,
        pipeline: WindowPipeline,
        strength: float = 1.0,
        check: CheckCancelled = never_cancelled,
        part: ClipPart | None = None,
    ) -> None:
        """`check` is called between the stages of a window; what it raises stops the work.

        Of a `part` of a clip only the frames that it needs may be pushed; those that are wanted come out, to the bit as
        they come out of the whole clip.
        """
        self.pipeline = pipeline
        self.strength = strength
        self.check = check
        self.part = part
        self.given = 0
        """How many frames came out."""
        self._gatherer: WindowGatherer | None = None
        self._fader: CrossFader | None = None

    def pull(self, frames: Iterable[Tensor]) -> Iterator[Tensor]:
        """Push all frames, and yield what comes out."""
        for frame in frames:
            yield from self.push(frame)
        yield from self.finish()

    def push(self, frame: Tensor) -> list[Tensor]:
        """Take a frame, (3, H, W) or (B, 3, H, W) in [-1, 1], and return the restored frames that are ready by then."""
        if self._gatherer is None:
            config = self.pipeline.window_for(frame.shape[-2], frame.shape[-1])
            first = 0 if self.part is None else self.part.needed(config).start
            self._gatherer, self._fader = WindowGatherer(config, first), CrossFader(config, first)
        return self._restore(self._gatherer.push(frame))

    def finish(self) -> list[Tensor]:
        """Return the rest, when no frame follows."""
        if self._gatherer is None or self._fader is None:
            return []
        return self._restore(self._gatherer.finish()) + self._wanted(self._fader.finish(), self._fader)

    def _restore(self, window: Window | None) -> list[Tensor]:
        if window is None or self._fader is None:
            return []
        restored = self.pipeline.restore_window(window.frames, self.strength, self.check)
        return self._wanted(self._fader.push(window, restored), self._fader)

    def _wanted(self, restored: list[Tensor], fader: CrossFader) -> list[Tensor]:
        """Return those that are wanted of the frames that `fader` has just given."""
        if self.part is not None:
            wanted, start = self.part.wanted, fader.given - len(restored)
            restored = restored[max(0, wanted.start - start) : max(0, wanted.stop - start)]
        self.given += len(restored)
        return restored
