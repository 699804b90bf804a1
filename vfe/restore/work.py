"""What is done with the frames of a source, all of them or a part, by the part for frames and the part for faces.

Frames are (3, H, W) float32 in [-1, 1], at the size of the output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from torch import Tensor

from ..face.paste.paste import FaceConfig, PasteConfig
from ..face.track.tracks import FaceTracks
from ..options import RestoreOptions
from ..pipeline.keeping import keeping
from ..pipeline.windows import ClipPart, ClipStream, WindowConfig, WindowPipeline
from ..types import Progress, Stretch
from .blend import blend_over
from .face_stream import FacePart, FaceStream, restore_frames_and_faces
from .region import RegionPlan


class FramePipeline(Protocol):
    """The part of `OneStepPipeline` that files need: as many frames out as in, in order, of the same size."""

    def stream(
        self, frames: Iterable[Tensor], *, strength: float = 1.0, on_progress: Progress | None = None
    ) -> Iterator[Tensor]: ...


class Restoration(Protocol):
    """A way to restore frames. It keeps no state between calls."""

    def needed(self, part: ClipPart) -> Stretch:
        """Return the frames that go into those that are wanted of a clip."""

    def restore(self, frames: Iterable[Tensor], report: Progress, part: ClipPart | None = None) -> Iterator[Tensor]:
        """Yield the restored frames of a whole clip; or, given the frames that a part of it needs, the wanted ones.

        Those are, to the bit, what they are in the whole clip. `report` is called between the stages of windows; what
        it raises stops the work.
        """


@dataclass(frozen=True)
class WholeFrames:
    """Whole frames of `size` (width, height) are restored."""

    pipeline: FramePipeline
    strength: float
    size: tuple[int, int]

    def needed(self, part: ClipPart) -> Stretch:
        width, height = self.size
        return part.needed(windowed(self.pipeline).window_for(height, width))

    def restore(self, frames: Iterable[Tensor], report: Progress, part: ClipPart | None = None) -> Iterator[Tensor]:
        if part is None:
            return self.pipeline.stream(frames, strength=self.strength, on_progress=report)
        total = len(part.wanted)
        pipeline = keeping(windowed(self.pipeline))
        stream = ClipStream(pipeline, self.strength, lambda: report(stream.given, total), part)
        return stream.pull(frames)


@dataclass(frozen=True)
class FacesAlone:
    """Faces are restored and nothing else."""

    part: FacePart
    tracks: FaceTracks
    strength: float

    def needed(self, part: ClipPart) -> Stretch:
        return self.part.frames_needed(self.tracks, FaceConfig(), part.wanted)

    def restore(self, frames: Iterable[Tensor], report: Progress, part: ClipPart | None = None) -> Iterator[Tensor]:
        return _face_stream(self, FaceConfig(), report, part).pull(frames)


@dataclass(frozen=True)
class AndFaces:
    """Frames are restored in one way, `before`, and then the faces in them by the part that knows faces."""

    before: Restoration
    part: FacePart
    tracks: FaceTracks
    strength: float
    config: FaceConfig

    def needed(self, part: ClipPart) -> Stretch:
        return self.before.needed(self._part_before(part))

    def restore(self, frames: Iterable[Tensor], report: Progress, part: ClipPart | None = None) -> Iterator[Tensor]:
        faces = _face_stream(self, self.config, report, part)
        before = None if part is None else self._part_before(part)
        first = 0 if before is None else self.before.needed(before).start
        return restore_frames_and_faces(frames, lambda some: self.before.restore(some, report, before), faces, first)

    def _part_before(self, part: ClipPart) -> ClipPart:
        return replace(part, wanted=self.part.frames_needed(self.tracks, self.config, part.wanted))


@dataclass(frozen=True)
class Blended:
    """What one way of restoring gives is shown over the frames."""

    over: Restoration
    blend: float

    def needed(self, part: ClipPart) -> Stretch:
        return self.over.needed(part)

    def restore(self, frames: Iterable[Tensor], report: Progress, part: ClipPart | None = None) -> Iterator[Tensor]:
        lead = 0 if part is None else part.wanted.start - self.needed(part).start
        return blend_over(frames, lambda frames: self.over.restore(frames, report, part), self.blend, lead)


@dataclass(frozen=True)
class Work:
    """What is done with the frames of a source, and what a person should know of it."""

    restoration: Restoration
    notes: tuple[str, ...] = ()
    is_partial: bool = False
    """Whether most pixels stay: then they are written as they were stored."""


def decide_work(
    pipeline: FramePipeline,
    face_part: FacePart | None,
    plan: RegionPlan,
    options: RestoreOptions,
    size: tuple[int, int],
) -> Work:
    """Return what is done with the frames, of `size` (width, height), of a source for which `plan` was made."""
    part = face_part if options.fidelity < 1 else None
    refining = options.strength * (1 - options.fidelity)
    frames = WholeFrames(pipeline, options.strength, size)
    tracks = plan.tracks
    if tracks is None or (plan.whole_frames and not tracks.tracks):
        return Work(frames, plan.notes)

    def refined(before: Restoration, config: FaceConfig) -> Restoration:
        return before if part is None else AndFaces(before, part, tracks, refining, config)

    if plan.whole_frames:
        return Work(refined(frames, FaceConfig(paste=PasteConfig(blend=options.blend, around=True))), plan.notes)
    faces = FacesAlone(FacePart(windowed(pipeline)), tracks, options.strength)
    return Work(Blended(refined(faces, FaceConfig()), options.blend), plan.notes, is_partial=True)


def face_windows(restoration: Restoration, tracks: FaceTracks | None) -> dict[int, WindowConfig]:
    """Return the windows in which each face is restored, by its number: by the part for faces, where there is one."""
    if isinstance(restoration, Blended):
        return face_windows(restoration.over, tracks)
    if tracks is None or not isinstance(restoration, FacesAlone | AndFaces):
        return {}
    config = FaceConfig() if isinstance(restoration, FacesAlone) else restoration.config
    return {track.number: restoration.part.window(track, config) for track in tracks.tracks}


def windowed(pipeline: FramePipeline) -> WindowPipeline:
    """Return the pipeline as one that restores single windows. Raises ValueError where it cannot."""
    if not isinstance(pipeline, WindowPipeline):
        raise ValueError(
            f"{type(pipeline).__name__} cannot restore faces or stretches, needed are window_for, restore_window"
        )
    return pipeline


def _face_stream(
    faces: FacesAlone | AndFaces, config: FaceConfig, report: Progress, part: ClipPart | None
) -> FaceStream:
    wanted, total = None if part is None else part.wanted, faces.tracks.frames
    return FaceStream(faces.part, faces.tracks, config, faces.strength, lambda done: report(done, total), wanted)
