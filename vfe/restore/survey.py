"""What a first pass over a source learns of it, so that any stretch of it can be restored on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from ..face.track.tracks import FaceTracks
from ..types import VFEError
from ..video.frame_table import FrameTable
from ..video.read import Decoded, Frame, Source
from .region import RegionPlan


@dataclass(frozen=True)
class Survey:
    """The frames of a source, and what of them is restored."""

    frames: FrameTable
    plan: RegionPlan
    notes: tuple[str, ...] = ()
    """What reading the source had to say, such as damage; what is restored is in the notes of the plan."""

    @property
    def cuts(self) -> tuple[int, ...]:
        """The first frames of the second, third and further shots, where faces were looked for; else none is known."""
        return () if self.plan.tracks is None else self.plan.tracks.cuts

    @property
    def tracks(self) -> FaceTracks | None:
        """The faces that are restored, as in the plan."""
        return self.plan.tracks


def take_survey(source: Source, plan: Callable[[Iterable[Frame]], RegionPlan]) -> Survey:
    """Go once over a source, with the eyes of `plan`, which may look at its frames. Raises VFEError as reading does."""
    column = _Columns()
    frames = column.noting(source.decoded())
    planned = plan(decoded.frame() for decoded in frames)
    for _ in frames:  # those that the plan had no need to see
        pass
    if not column.checksums:
        raise VFEError(f"{source.info.path}: no frame could be decoded")
    return Survey(column.table(), planned, tuple(source.notes))


class _Columns:
    """The columns of a table of frames, as they grow."""

    def __init__(self) -> None:
        self.checksums: list[int] = []
        self.pts: list[int] = []
        self.durations: list[int] = []
        self.time_base: Fraction | None = None

    def noting(self, pictures: Iterable[Decoded]) -> Iterator[Decoded]:
        """Hand pictures on, and note each."""
        for decoded in pictures:
            self.checksums.append(decoded.checksum())
            if decoded.pts is not None and decoded.duration is not None:
                self.pts.append(decoded.pts)
                self.durations.append(decoded.duration)
                self.time_base = decoded.time_base
            yield decoded

    def table(self) -> FrameTable:
        """Return the table."""
        checksums = tuple(self.checksums)
        if self.time_base is None:
            return FrameTable(checksums)
        return FrameTable(checksums, tuple(self.pts), tuple(self.durations), self.time_base)
