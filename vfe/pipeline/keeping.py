"""What stays of footage, whatever a model makes of it: black bars beside the picture, its tone where it has one, and
the stillness of what does not move.
"""

from __future__ import annotations

from .bars import BetweenBars
from .one_tone import KeptTone
from .stillness import StillWhereStill
from .windows import WindowPipeline


def keeping(pipeline: WindowPipeline) -> WindowPipeline:
    """Return what restores as `pipeline` does, but leaves bars, the tone and what stands still as they are."""
    return BetweenBars(KeptTone(StillWhereStill(pipeline)))
