"""The report of a job: what its workers measured of their segments becomes that of one run.

It follows from the files of the job alone, to the byte, so that whoever goes on with a job finds a report of it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from pathlib import Path

from ..pipeline.windows import ClipPart, WindowConfig
from ..report.joined import joined, unchanged
from ..report.part_file import MeasuredPart
from ..report.run_report import Run, RunReport, Segment, Stages
from ..report.watch import CutWatcher, colour_spacing
from ..report.write import encoded, write_report
from ..restore.reporting import check_report, frame_windows, windows_of_faces
from ..restore.survey import Survey
from ..types import VFEError
from ..video.errors import reading, writing
from ..video.read import Source
from ..video.resize import resize
from .assembly import Piece
from .plan import Plan
from .records import read_json
from .result import Assembled


@dataclass(frozen=True)
class JobReport:
    """What was planned, and the source."""

    plan: Plan
    survey: Survey
    source: Source

    def of(self, pieces: Sequence[Piece], assembled: Assembled, place: Path) -> RunReport:
        """Return the report of an output that was assembled of pieces. Raises VFEError for damaged measurements."""
        plan, info, tracks = self.plan, self.source.info, self.survey.tracks
        options = plan.order.request.options
        parts = [self._measured(piece) for piece in pieces]
        windows: dict[int, WindowConfig] = {}
        for part in parts:
            windows |= part.face_windows
        records = [piece.record for piece in pieces if piece.record is not None]
        run = Run(
            info=info,
            output=place,
            size=options.output_size(info.width, info.height),
            options=options,
            model=plan.model,
            stages=self._stages(pieces, assembled),
            memory=reduce(or_, (record.memory for record in records), assembled.memory),
            segments=tuple(_segment(piece) for piece in pieces),
            seconds=plan.seconds + sum(record.seconds for record in records) + assembled.seconds,
            tracks=tracks,
            windows=frame_windows(self.survey.plan, plan.arithmetic.window, plan.frames),
            face_windows=windows_of_faces(tracks, windows),
            notes=assembled.notes,
            lost=self.survey.lost,
        )
        measured = joined([part.measured for part in parts])
        return RunReport.of(run, replace(measured, cuts=self._cuts() if tracks is None else tracks.cuts))

    def write(self, path: Path, report: RunReport, *, overwrite: bool) -> None:
        """Write a report, unless it is there already, of an earlier run that went on until then.

        Raises VFEError where something else is there, and where nothing can be written.
        """
        with writing(path):
            data = encoded(path, report)
            if path.is_file() and path.read_bytes() == data:
                return
            check_report(path, self.source.info, (), overwrite=overwrite)
            write_report(path, report)

    def _measured(self, piece: Piece) -> MeasuredPart:
        """Return what was measured of a piece. Raises VFEError where that is not what its record vouches for."""
        record, path = piece.record, piece.files.measured
        if record is None:
            every = colour_spacing(ClipPart(piece.stretch, self.plan.frames))
            return MeasuredPart(unchanged(piece.stretch, every), {})
        with reading(path):
            is_sound = piece.files.is_measured(record)
            try:
                if is_sound:
                    return MeasuredPart.from_json(read_json(path), piece.stretch)
                reason = "is not what its segment vouches for"
            except ValueError as error:
                reason = str(error)
        raise VFEError(f"{path}: {reason}; delete it and restore the segment again")

    def _stages(self, pieces: Sequence[Piece], assembled: Assembled) -> Stages:
        """Return the seconds of all processes together; the first pass finds faces, or it only reads."""
        stages = [piece.record.stages for piece in pieces if piece.record is not None]
        finds_faces = self.survey.tracks is not None
        return Stages(
            find_faces=self.plan.seconds if finds_faces else 0.0,
            decode=sum(stage.decode for stage in stages) + (0.0 if finds_faces else self.plan.seconds),
            restore=sum(stage.restore for stage in stages),
            encode=sum(stage.encode for stage in stages) + assembled.seconds,
            measure=sum(stage.measure for stage in stages),
        )

    def _cuts(self) -> tuple[int, ...]:
        """Go through the source for its cuts, where nobody looked for faces, which finds them too."""
        info = self.source.info
        size, watcher = self.plan.order.request.options.output_size(info.width, info.height), CutWatcher()
        with closing(self.source.frames_from(0, self.survey.frames)) as frames:
            for frame in frames:
                watcher.push(resize(frame.pixels, size))
        return watcher.finish()


def _segment(piece: Piece) -> Segment:
    start, stop, record = piece.stretch.start, piece.stretch.stop, piece.record
    if record is None:
        return Segment(start, stop, 0.0, piece.files.failures(), passed_through=True)
    return Segment(start, stop, record.seconds, record.failures, record.worker)
