"""The output of a job is put together: chunk after chunk through one encoder, as if one process had made it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from typing import Any, NamedTuple

from ..restore.ends import entered
from ..restore.survey import Survey
from ..types import Progress, Stretch, VFEError
from ..video.read import Source
from ..video.resize import resize
from .chunks import Output
from .plan import Plan
from .records import Record, SegmentFiles


class Place(NamedTuple):
    """Where a frame stands in the clip, as its sink asks."""

    pts: int | None
    time_base: Fraction | None
    duration: int | None
    name: str | None


@dataclass(frozen=True)
class Piece:
    """A segment, its files, and what vouches for its chunk; None where it is a gap."""

    stretch: Stretch
    files: SegmentFiles
    record: Record | None


@dataclass(frozen=True)
class Assembly:
    """Everything that an output is made of."""

    plan: Plan
    survey: Survey
    source: Source
    output: Output

    def write(self, pieces: Sequence[Piece], on_progress: Progress) -> tuple[str, ...]:
        """Write the output, the frames of the source in gaps, and return what could not be kept.

        Raises VFEError where the disk is full, and for a chunk that holds other frames than it should.
        """
        places = self._places()
        with ExitStack() as stack:
            sink = entered(stack, self.output.sink)
            done = 0
            for piece in pieces:
                if piece.record is not None:
                    sink.lost.update(dict.fromkeys(piece.record.notes))
                for part in self._parts(piece):
                    sink.put(part, next(places))
                    done += 1
                    on_progress(done, self.plan.frames)
        return (*self.survey.notes, *sink.notes, *self.survey.plan.notes, *self._notes(pieces))

    def _parts(self, piece: Piece) -> Iterator[Any]:
        """Yield the parts of a segment, as many as it has frames."""
        parts = self._passed_through(piece.stretch) if piece.record is None else self.output.parts(piece.files.chunk)
        count = 0
        for count, part in enumerate(parts, start=1):
            if count > len(piece.stretch):
                break
            yield part
        if count != len(piece.stretch):
            raise VFEError(
                f"{piece.files.chunk}: holds {'more' if count > len(piece.stretch) else count} frames, needed are "
                f"{len(piece.stretch)}; delete it and restore the segment again"
            )

    def _passed_through(self, stretch: Stretch) -> Iterator[Any]:
        """Yield the parts of frames as the source has them, at the size of the output."""
        info = self.source.info
        size = self.plan.order.request.options.output_size(info.width, info.height)
        frames = self.source.frames_from(stretch.start, self.survey.frames)
        for frame in islice(frames, len(stretch)):
            alpha = None if frame.alpha is None else resize(frame.alpha, size)
            yield self.output.sink.part(replace(frame, pixels=resize(frame.pixels, size), alpha=alpha))

    def _places(self) -> Iterator[Place]:
        """Yield where each frame of the clip stands."""
        table, images = self.survey.frames, self.source.info.images
        for number in range(len(table)):
            yield Place(
                pts=None if table.pts is None else table.pts[number],
                time_base=table.time_base,
                duration=None if table.durations is None else table.durations[number],
                name=images[number].name if images else None,
            )

    def _notes(self, pieces: Sequence[Piece]) -> Iterator[str]:
        """Yield what is otherwise than in an undisturbed run of one process."""
        for piece in pieces:
            frames = f"frames {piece.stretch.start} to {piece.stretch.stop - 1}"
            if piece.record is None:
                yield f"{frames} are those of the source: their segment could not be restored"
            elif others := piece.record.arithmetic.differences(self.plan.arithmetic):
                yield f"{frames} were restored with {', '.join(others)}: they differ from those of one process's run"
