"""What stays of footage, whatever a model makes of it: black bars beside the picture, and its tone where it has one."""

from __future__ import annotations

from .bars import BetweenBars
from .one_tone import KeptTone
from .windows import WindowPipeline


def keeping(pipeline: WindowPipeline) -> WindowPipeline:
    """Return what restores as `pipeline` does, but leaves bars alone and keeps footage of one tone in that."""
    return BetweenBars(KeptTone(pipeline))
