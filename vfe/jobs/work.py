"""The work on one segment: its frames are restored, and lie in a chunk that is vouched for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from av.error import FFmpegError

from ..pipeline.memory_aware import is_out_of_memory, release_memory
from ..report.memory import PeakMemory
from ..restore.restorer import Restorer
from ..restore.stretch_reporting import StretchReporting
from ..restore.survey import Survey
from ..types import Progress, Stretch, VFEError
from ..video.errors import reason, writing
from ..video.read import Frame, Source
from .arithmetic import arithmetic_of
from .chunks import Output
from .memory import smaller
from .plan import Plan
from .records import Contents, Record, SegmentFiles, SegmentStages
from .worker import Worker

_MISHAPS = (VFEError, OSError, MemoryError, FFmpegError, RuntimeError)
"""What may go wrong with a segment for reasons that another try may not meet. PyTorch's errors are RuntimeErrors."""


class TryFailed(VFEError):
    """A try at a segment that failed for a reason other than the folder of the job, in which nothing can be noted."""


@dataclass(frozen=True)
class SegmentWork:
    """One segment, and all that its pixels depend on."""

    plan: Plan
    number: int
    survey: Survey
    source: Source
    output: Output

    def restore(self, restorer: Restorer, files: SegmentFiles, on_progress: Progress) -> Record:
        """Restore the segment into its chunk, in shorter windows where memory is short.

        Raises TryFailed where that did not work, and VFEError where the folder of the job cannot be written to.
        """
        started = time.perf_counter()
        aside = files.aside()
        try:
            while (reporting := self._write(restorer, files, on_progress)) is None:
                # Outside of a handler, whose traceback would keep the tensors of the failed step.
                release_memory()
                shorter = smaller(restorer)
                if shorter is None:
                    raise TryFailed("out of memory with the shortest windows; free memory, or restore smaller frames")
                restorer = shorter
            with writing(aside):
                seconds = time.perf_counter() - started
                return files.vouch(
                    aside, reporting.measured().to_json(), self._record(restorer, reporting, seconds, files.failures())
                )
        finally:
            aside.unlink(missing_ok=True)

    @property
    def stretch(self) -> Stretch:
        """The frames of the segment."""
        return self.plan.segments[self.number]

    def _write(self, restorer: Restorer, files: SegmentFiles, on_progress: Progress) -> StretchReporting | None:
        """Write the chunk aside and return what was measured of it; None where memory ran out."""
        reporting = StretchReporting(self.source.info, self.survey, self.stretch)
        try:
            frames = self.output.write_chunk(files.aside(), self._frames(restorer, reporting, on_progress))
        except _OutOfMemory:
            return None
        if frames != len(self.stretch):
            raise TryFailed(f"{frames} frames came out, {len(self.stretch)} were expected")
        return reporting

    def _frames(self, restorer: Restorer, reporting: StretchReporting, on_progress: Progress) -> Iterator[Frame]:
        """Yield the restored frames; what goes wrong with them is told from what goes wrong with the disk."""
        options = self.plan.order.request.options
        try:
            yield from restorer.restore_stretch(
                self.source, self.survey, options, self.stretch, on_progress, reporting=reporting
            )
        except _MISHAPS as error:
            if is_out_of_memory(error):
                raise _OutOfMemory from None
            raise TryFailed(reason(error)) from error

    def _record(
        self, restorer: Restorer, reporting: StretchReporting, seconds: float, failures: tuple[str, ...]
    ) -> Callable[[Contents], Record]:
        """Return what makes the record of a chunk, and of what was measured of it."""
        size = self.plan.order.request.options.output_size(self.source.info.width, self.source.info.height)
        arithmetic, (decode, restore, measure) = arithmetic_of(restorer, size), reporting.seconds
        encode = max(0.0, seconds - decode - restore - measure)
        stages = SegmentStages(*(round(stage, 3) for stage in (decode, restore, encode, measure)))

        def record(contents: Contents) -> Record:
            return Record(
                sha256=contents.sha256,
                size=contents.size,
                frames=len(self.stretch),
                seconds=round(seconds, 3),
                worker=str(Worker.this()),
                arithmetic=arithmetic,
                notes=tuple(self.output.sink.lost),
                measured=contents.measured,
                stages=stages,
                memory=PeakMemory.now(),
                failures=failures,
            )

        return record


class _OutOfMemory(Exception):
    """Memory ran out, which shorter windows may mend."""
