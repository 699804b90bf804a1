"""A restorer as files and pictures go through it, which shows how far it is and how that looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from ...vfe.face.paste.align import ALIGNED_SIDE
from ...vfe.pipeline.one_step import OneStepPipeline
from ...vfe.pipeline.windows import ClipStream, WindowConfig
from ...vfe.restore.face_stream import FacePart
from ...vfe.restore.restorer import Restorer
from ...vfe.types import CheckCancelled, Progress, VideoShape
from ..backend.restorer import ComfyRestorer
from ..host.reporter import MANY, Reporter


def shown_restorer(
    restorer: ComfyRestorer, size: VideoShape, window: WindowConfig | None, reporter: Reporter
) -> Restorer:
    """Load a restorer for frames of a size in pixels, the part that knows faces too, and return it.

    Raises VFEError where they do not fit the memory.
    """
    return Restorer(ShownPipeline(restorer.enhancer(size, window), reporter), face_part_of(restorer))


def face_part_of(restorer: ComfyRestorer) -> FacePart | None:
    """Load the part of a restorer that knows faces, and return it; None for a restorer without."""
    if restorer.faces is None:
        return None
    faces = restorer.faces.enhancer(VideoShape(MANY, ALIGNED_SIDE, ALIGNED_SIDE), None)
    return FacePart(faces, is_aligned=True, sees_original=faces.model.sees_original)


class ShownPipeline:
    """A pipeline that also shows the first frame of each window in the browser, as it came and restored."""

    def __init__(self, pipeline: OneStepPipeline, reporter: Reporter) -> None:
        self.pipeline, self.reporter = pipeline, reporter

    def window_for(self, height: int, width: int) -> WindowConfig:
        """Return the windows in which frames of this size, in pixels, are restored."""
        return self.pipeline.window_for(height, width)

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        """Restore a window of frames (3, H, W) in [-1, 1], and show the first."""
        restored = self.pipeline.restore_window(frames, strength, check)
        self.reporter.compare(self.reporter.done, frames[0], restored[0])
        return restored

    def stream(
        self, frames: Iterable[Tensor], *, strength: float = 1.0, on_progress: Progress | None = None
    ) -> Iterator[Tensor]:
        """Restore frames (3, H, W) in [-1, 1] as `OneStepPipeline.stream` does, and show the first of each window."""

        def report() -> None:
            if on_progress is not None:
                on_progress(clip.given, None)

        clip: ClipStream = ClipStream(self, strength, report)
        for frame in frames:
            yield from clip.push(frame)
        yield from clip.finish()
