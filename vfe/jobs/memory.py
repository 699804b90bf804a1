"""What a worker does whose memory runs out: the same segment in shorter windows, which its record says."""

from __future__ import annotations

from ..pipeline.memory_aware import MemoryAwarePipeline
from ..pipeline.one_step import OneStepPipeline
from ..pipeline.windows import WindowConfig
from ..restore.restorer import Restorer

_SHORTER = (13, 5)
"""The frames of shorter windows, our own choice: each about half of those before, from the 25 of lite on."""


def smaller(restorer: Restorer) -> Restorer | None:
    """Return a restorer of the same model that takes less memory; None where there is none.

    A pipeline that fits itself to the memory has stepped down already when it gives up.
    """
    pipeline = restorer.pipeline
    if isinstance(pipeline, MemoryAwarePipeline) or not isinstance(pipeline, OneStepPipeline):
        return None
    shorter = next((frames for frames in _SHORTER if frames < pipeline.window.frames), None)
    if shorter is None:
        return None
    pipeline = OneStepPipeline(pipeline.model, WindowConfig.of(shorter), pipeline.tile)
    return Restorer(pipeline, restorer.face_part, restorer.name)
