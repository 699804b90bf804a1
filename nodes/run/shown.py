"""A restorer as files and pictures go through it, which shows how far it is and how that looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from ...vfe.face.paste.align import ALIGNED_SIDE
from ...vfe.pipeline.keeping import keeping
from ...vfe.pipeline.one_step import OneStepPipeline
from ...vfe.pipeline.windows import ClipStream, WindowConfig, WindowPipeline
from ...vfe.restore.face_stream import FacePart
from ...vfe.restore.restorer import Restorer
from ...vfe.types import CheckCancelled, Progress, VideoShape
from ..backend.restorer import ComfyRestorer
from ..host.kept_files import KeptFiles
from ..host.reporter import MANY, Reporter
from .kept_faces import FindsOnce
from .kept_windows import KeptWindows, Results, keep_steps


def shown_restorer(
    restorer: ComfyRestorer,
    size: VideoShape,
    window: WindowConfig | None,
    reporter: Reporter,
    *,
    keeps: bool = True,
) -> Restorer:
    """Load a restorer for frames of a size in pixels, the part that knows faces too, and return it.

    Crops that it restores, and its steps, are kept for later runs if it `keeps`. Raises VFEError where it does not fit
    the memory.
    """
    frames = restorer.enhancer(size, window)
    crops = _keeping(frames, restorer) if keeps else frames
    return Restorer(ShownPipeline(frames, crops, reporter), face_part_of(restorer, keeps=keeps))


def of_one_clip(restorer: Restorer, clip: str) -> Restorer:
    """Return a restorer that looks for faces only where those of the clip, which `clip` tells, are not kept yet."""
    return FindsOnce(restorer.pipeline, restorer.face_part, KeptFiles(), clip)


def face_part_of(restorer: ComfyRestorer, *, keeps: bool = True) -> FacePart | None:
    """Load the part of a restorer that knows faces, and return it; None for a restorer without."""
    if restorer.faces is None:
        return None
    faces = restorer.faces.enhancer(VideoShape(MANY, ALIGNED_SIDE, ALIGNED_SIDE), None)
    sees_original = faces.model.sees_original
    pipeline = _keeping(faces, restorer.faces) if keeps else faces
    return FacePart(pipeline, is_aligned=True, sees_original=sees_original)


def _keeping(pipeline: OneStepPipeline, restorer: ComfyRestorer) -> WindowPipeline:
    """Return what restores crops as a pipeline does and keeps them, if the restorer can be told from others.

    The pipeline itself then keeps its steps.
    """
    if not restorer.identity:
        return pipeline
    results = Results(KeptFiles(), f"{restorer.identity} {restorer.dit.roll}")
    keep_steps(pipeline, results)
    return KeptWindows(pipeline, results)


class ShownWindows:
    """A pipeline of windows that also shows the first frame of each in the browser, as it came and restored."""

    def __init__(self, pipeline: WindowPipeline, reporter: Reporter) -> None:
        self.pipeline, self.reporter = pipeline, reporter

    def window_for(self, height: int, width: int) -> WindowConfig:
        """Return the windows in which frames of this size, in pixels, are restored."""
        return self.pipeline.window_for(height, width)

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        """Restore a window of frames (3, H, W) in [-1, 1], and show the first."""
        restored = self.pipeline.restore_window(frames, strength, check)
        self.reporter.compare(self.reporter.done, frames[0], restored[0])
        return restored


class ShownPipeline(ShownWindows):
    """Restores single windows, which are crops of faces, and streams of whole frames, and shows both."""

    def __init__(self, whole: WindowPipeline, crops: WindowPipeline, reporter: Reporter) -> None:
        super().__init__(crops, reporter)
        self.whole = ShownWindows(keeping(whole), reporter)

    def stream(
        self, frames: Iterable[Tensor], *, strength: float = 1.0, on_progress: Progress | None = None
    ) -> Iterator[Tensor]:
        """Restore frames (3, H, W) in [-1, 1] as `OneStepPipeline.stream` does, and show the first of each window."""

        def report() -> None:
            if on_progress is not None:
                on_progress(clip.given, None)

        clip: ClipStream = ClipStream(self.whole, strength, report)
        for frame in frames:
            yield from clip.push(frame)
        yield from clip.finish()
