"""What stays of footage, whatever a model makes of it: black bars beside the picture, its tone where it has one, and
the stillness of what does not move.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..types import CheckCancelled
from .bars import BetweenBars
from .one_tone import keep_tone
from .stillness import keep_still_
from .windows import WindowConfig, WindowPipeline


def keeping(pipeline: WindowPipeline) -> WindowPipeline:
    """Return what restores as `pipeline` does, but leaves bars, the tone and what stands still as they are."""
    return BetweenBars(KeepsToneAndStillness(pipeline))


@dataclass(frozen=True)
class KeepsToneAndStillness:
    """Restores what `pipeline` restores, in the tone that it had, and still where it stood still."""

    pipeline: WindowPipeline

    def window_for(self, height: int, width: int) -> WindowConfig:
        """Return the windows in which frames of this size are restored."""
        return self.pipeline.window_for(height, width)

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        """Restore up to a window of frames, (3, H, W) or (B, 3, H, W), and return as many, on the CPU."""
        restored = self.pipeline.restore_window(frames, strength, check)
        keep_still_(frames, restored)
        return keep_tone(frames, restored)
