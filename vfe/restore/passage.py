"""Frames on their way through the work: what travels beside their pixels, and how long some of the stages take."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ..pipeline.windows import ClipPart
from ..types import Progress
from ..video.read import Frame
from ..video.resize import resize
from .reporting import FrameWatcher
from .work import Work


class Passage:
    """One pass of frames through the work, of a whole clip or of those that a part of it needs."""

    def __init__(
        self,
        work: Work,
        size: tuple[int, int],
        part: ClipPart | None = None,
        *,
        keeps_pixels: bool = False,
        watcher: FrameWatcher | None = None,
    ) -> None:
        """`size` is the (width, height) of the output; `keeps_pixels` keeps those of the source at this size.

        `watcher` sees the frames that come out.
        """
        self.work = work
        self.size = size
        self.part = part
        self.keeps_pixels = keeps_pixels
        self.watcher = watcher
        self.decode = self.restore = self.measure = 0.0
        """Seconds of each stage."""
        self.given = 0
        """The frames that came out."""
        self._pending: deque[Frame] = deque()  # frames inside the pipeline, at most a window

    def of(self, frames: Iterable[Frame], report: Progress) -> Iterator[tuple[Frame, Tensor]]:
        """Yield each frame, without its pixels unless they are kept, and its restored pixels (3, H, W)."""
        restored = self.work.restoration.restore(self._pixels(iter(frames)), report, self.part)
        while (pixels := self._next_restored(restored)) is not None:
            self.given += 1
            frame = self._pending.popleft()
            self._show(frame.pixels, pixels)
            yield frame, pixels
        assert not self._pending  # as many frames come out as go in

    def _pixels(self, frames: Iterator[Frame]) -> Iterator[Tensor]:
        """Yield the pixels of each frame at output size; the rest of those that are wanted waits in `_pending`."""
        number = 0 if self.part is None else self.work.restoration.needed(self.part).start
        while True:
            start = time.perf_counter()
            frame = next(frames, None)
            self.decode += time.perf_counter() - start
            if frame is None:
                return
            pixels = resize(frame.pixels, self.size)
            if self.part is None or number in self.part.wanted:
                self._pending.append(self._without_pixels(frame, pixels))
            number += 1
            yield pixels

    def _without_pixels(self, frame: Frame, pixels: Tensor) -> Frame:
        alpha = None if frame.alpha is None else resize(frame.alpha, self.size)
        is_kept = self._is_watched(pixels) or self.keeps_pixels
        kept = pixels if is_kept else torch.empty(0)  # a window of large frames is not held twice
        stored = frame.stored.kept() if self.work.is_partial and frame.stored is not None else None
        return replace(frame, pixels=kept, alpha=alpha, stored=stored)

    def _next_restored(self, restored: Iterator[Tensor]) -> Tensor | None:
        start, others = time.perf_counter(), self.decode + self.measure
        pixels = next(restored, None)
        # The pipeline pulls frames while it works; that they are decoded and measured are other stages.
        self.restore += time.perf_counter() - start - (self.decode + self.measure - others)
        return pixels

    def _is_watched(self, pixels: Tensor) -> bool:
        """Show a frame as it comes to the watcher; return whether it wants to see it once more, restored."""
        if self.watcher is None:
            return False
        start = time.perf_counter()
        is_wanted = self.watcher.take(pixels)
        self.measure += time.perf_counter() - start
        return is_wanted

    def _show(self, before: Tensor, after: Tensor) -> None:
        if self.watcher is not None:
            start = time.perf_counter()
            self.watcher.see(before, after)
            self.measure += time.perf_counter() - start
