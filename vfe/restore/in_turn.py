"""A pipeline that several threads share: it restores one window at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from threading import Lock

from torch import Tensor

from ..pipeline.keeping import keeping
from ..pipeline.windows import ClipStream, WindowConfig, WindowPipeline
from ..types import CheckCancelled, Progress, no_progress
from .face_stream import FacePart


@dataclass(frozen=True)
class InTurn:
    """Restores what `pipeline` restores, while `turn` is held. Whoever waits for a turn waits for computing alone."""

    pipeline: WindowPipeline
    turn: Lock

    def window_for(self, height: int, width: int) -> WindowConfig:
        """Return the windows in which frames of this size are restored."""
        return self.pipeline.window_for(height, width)

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        """Restore up to a window of frames, (3, H, W) or (B, 3, H, W), and return as many."""
        with self.turn:
            return self.pipeline.restore_window(frames, strength, check)

    def stream(
        self, frames: Iterable[Tensor], *, strength: float = 1.0, on_progress: Progress | None = None
    ) -> Iterator[Tensor]:
        """Restore frames (3, H, W) in [-1, 1], and yield as many in their order."""
        report = on_progress or no_progress
        clip = ClipStream(keeping(self), strength, lambda: report(clip.given, None))
        return clip.pull(frames)


def part_in_turn(part: FacePart | None, turn: Lock) -> FacePart | None:
    """Return the part for faces, restoring while `turn` is held."""
    return None if part is None else replace(part, pipeline=InTurn(part.pipeline, turn))
