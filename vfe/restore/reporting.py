"""The report of a run over a file: its name is checked before the run, its frames are watched, and it is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from ..options import RestoreOptions
from ..pipeline.windows import WindowConfig, WindowGrid, WindowPipeline
from ..types import VFEError
from ..video.info import VideoInfo
from ..video.target import check_file
from .region import RegionPlan
from .work import FramePipeline

if TYPE_CHECKING:
    from ..report.watch import RunWatcher
    from .restorer import RestoreReport


class FrameWatcher(Protocol):
    """What sees the frames of a run, (3, H, W) in [-1, 1], as they come and as they are written."""

    def take(self, before: Tensor) -> bool:
        """Take the next frame as it comes; return whether it is wanted again beside what it becomes."""
        ...

    def see(self, before: Tensor, after: Tensor) -> None:
        """Take the next frame that is written; `before` is empty where it was not wanted."""
        ...


class Reporting:
    """The report of one run. Raises VFEError where it cannot be written."""

    def __init__(self, path: Path, info: VideoInfo, output: Path, options: RestoreOptions) -> None:
        check_file(path, info.images or (info.path,), options.overwrite)
        others = (output, *(other for other in (options.compare,) if other))
        if any(path.resolve() == other.resolve() for other in others):
            raise VFEError(f"{path}: is also an output of the run; give the report another name")
        self.path = path
        self.info = info
        self.options = options
        self.size = options.output_size(info.width, info.height)
        """The (width, height) of the output."""
        self._watcher: RunWatcher | None = None
        self._window: WindowConfig | None = None

    def watch(self, plan: RegionPlan, pipeline: FramePipeline) -> FrameWatcher:
        """Return what is to see the frames of the run that `pipeline` does as planned."""
        from ..report.watch import RunWatcher

        if plan.whole_frames and isinstance(pipeline, WindowPipeline):
            width, height = self.size
            self._window = pipeline.window_for(height, width)
        self._watcher = RunWatcher(plan.tracks, self.info.frames)
        return self._watcher

    def write(self, done: RestoreReport, find_faces: float, measure: float) -> None:
        """Write the report of a run that is done; both stages are seconds that are not in `done`, but in its total.

        Raises OSError as writing does.
        """
        from ..report.run_report import Run, RunReport, Stages
        from ..report.write import write_report

        assert self._watcher is not None
        decode, restore, encode = done.stages
        stages = Stages(find_faces, decode, restore - find_faces, encode, measure)
        grid = None if self._window is None else WindowGrid(self._window, done.frames)
        windows = tuple(grid.window(number) for number in range(grid.last + 1)) if grid else ()
        run = Run(
            self.info,
            done.output,
            self.size,
            self.options,
            done.frames,
            done.seconds,
            stages,
            windows,
            done.notes,
            done.lost,
        )
        write_report(self.path, RunReport.of(run, self._watcher.measured()))
