"""The report of a run over a file: its name is checked before the run, its frames are watched, and it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from torch import Tensor

from ..face.track.tracks import FaceTracks
from ..options import RestoreOptions
from ..pipeline.windows import WindowConfig, WindowGrid, WindowPipeline
from ..types import Stretch, VFEError
from ..video.info import VideoInfo
from ..video.target import check_file
from .region import RegionPlan
from .work import Work, face_windows

if TYPE_CHECKING:
    from ..report.run_report import ModelNames
    from ..report.watch import RunWatcher
    from .restorer import Restorer, RestoreReport


class FrameWatcher(Protocol):
    """What sees the frames of a run, (3, H, W) in [-1, 1], as they come and as they are written."""

    def take(self, before: Tensor) -> bool:
        """Take the next frame as it comes; return whether it is wanted again beside what it becomes."""
        ...

    def see(self, before: Tensor, after: Tensor) -> None:
        """Take the next frame that is written; `before` is empty where it was not wanted."""
        ...


class FileRun(NamedTuple):
    """What was done with a file, beyond its `RestoreReport`."""

    restorer: Restorer
    plan: RegionPlan
    work: Work
    find_faces: float
    """Seconds, which are part of those of restoring."""
    measure: float
    """Seconds."""


class Reporting:
    """The report of one run over a file."""

    def __init__(self, path: Path, info: VideoInfo, output: Path, options: RestoreOptions) -> None:
        self.path = path
        self.info = info
        self.output = output
        self.options = options
        self.size = options.output_size(info.width, info.height)
        """The (width, height) of the output."""
        self._watcher: RunWatcher | None = None

    def check(self) -> None:
        """Raise VFEError where the report cannot be written, or would take the place of another file of the run."""
        others = (self.output, *(other for other in (self.options.compare,) if other))
        check_report(self.path, self.info, others, overwrite=self.options.overwrite)

    def watch(self, plan: RegionPlan) -> FrameWatcher:
        """Return what is to see the frames of a run that is done as planned."""
        from ..report.watch import RunWatcher

        self._watcher = RunWatcher(plan.tracks, self.info.frames)
        return self._watcher

    def write(self, done: RestoreReport, run: FileRun) -> None:
        """Write the report of a run that is done. Raises OSError as writing does."""
        from ..report.memory import PeakMemory
        from ..report.run_report import Run, RunReport, Segment, Stages
        from ..report.write import write_report

        assert self._watcher is not None
        decode, restore, encode = done.stages
        tracks = run.plan.tracks
        reported = Run(
            info=self.info,
            output=done.output,
            size=self.size,
            options=self.options,
            model=names_of(run.restorer),
            stages=Stages(run.find_faces, decode, restore - run.find_faces, encode, run.measure),
            memory=PeakMemory.now(),
            segments=(Segment(0, done.frames, done.seconds),),
            seconds=done.seconds,
            tracks=tracks,
            windows=frame_windows(run.plan, self._window(run.restorer), done.frames),
            face_windows=windows_of_faces(tracks, face_windows(run.work.restoration, tracks)),
            notes=done.notes,
            lost=done.lost,
        )
        write_report(self.path, RunReport.of(reported, self._watcher.measured()))

    def _window(self, restorer: Restorer) -> WindowConfig | None:
        width, height = self.size
        pipeline = restorer.pipeline
        return pipeline.window_for(height, width) if isinstance(pipeline, WindowPipeline) else None


def check_report(path: Path, info: VideoInfo, outputs: Sequence[Path], *, overwrite: bool) -> None:
    """Raise VFEError where a report cannot be written, or would take the place of a file of the run."""
    check_file(path, info.images or (info.path,), overwrite)
    if any(path.resolve() == other.resolve() for other in outputs):
        raise VFEError(f"{path}: is also an output of the run; give the report another name")


def names_of(restorer: Restorer) -> ModelNames:
    """Return the names of a model and of its part for faces."""
    from ..report.run_report import ModelNames

    return ModelNames(restorer.name, None if restorer.face_part is None else restorer.face_part.name)


def frame_windows(plan: RegionPlan, window: WindowConfig | None, frames: int) -> tuple[Stretch, ...]:
    """Return the windows in which whole frames of a clip are restored; none where only faces are."""
    return _windows(window, frames) if plan.whole_frames and window is not None else ()


def windows_of_faces(tracks: FaceTracks | None, windows: Mapping[int, WindowConfig]) -> dict[int, tuple[Stretch, ...]]:
    """Return the windows in which faces are restored, in frames of the clip, by the numbers of the faces."""
    return {
        track.number: tuple(
            Stretch(track.start + window.start, track.start + window.stop)
            for window in _windows(windows[track.number], len(track.boxes))
        )
        for track in (tracks.tracks if tracks is not None else ())
        if track.number in windows
    }


def _windows(config: WindowConfig, frames: int) -> tuple[Stretch, ...]:
    grid = WindowGrid(config, frames)
    return tuple(grid.window(number) for number in range(grid.last + 1))
