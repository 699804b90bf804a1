"""What the report of a whole clip needs of one stretch: its frames are watched, and its stages are timed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..pipeline.windows import ClipPart
from ..types import Stretch
from ..video.info import VideoInfo
from .survey import Survey
from .work import face_windows

if TYPE_CHECKING:
    from ..report.part_file import MeasuredPart
    from .passage import Passage


class StretchReporting:
    """The measurements of one stretch, which come with its frames."""

    def __init__(self, info: VideoInfo, survey: Survey, stretch: Stretch) -> None:
        """`info` is that of the source that `survey` is of."""
        from ..report.watch import RunWatcher

        self.tracks = survey.tracks
        self.watcher = RunWatcher(survey.tracks, info.frames, ClipPart(stretch, len(survey.frames)))
        self._passage: Passage | None = None

    def follow(self, passage: Passage) -> None:
        """Note by which way the frames of the stretch are restored."""
        self._passage = passage

    def measured(self) -> MeasuredPart:
        """Return everything, when the last frame was restored."""
        from ..report.part_file import MeasuredPart

        assert self._passage is not None
        return MeasuredPart(self.watcher.measured(), face_windows(self._passage.work.restoration, self.tracks))

    @property
    def seconds(self) -> tuple[float, float, float]:
        """The seconds of decoding, restoring and measuring until now."""
        if self._passage is None:
            return 0.0, 0.0, 0.0
        return self._passage.decode, self._passage.restore, self._passage.measure
