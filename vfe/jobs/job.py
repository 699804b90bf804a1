"""`Job`: a long restoration as a folder on disk, whose segments any process may restore in any order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from ..report.memory import PeakMemory
from ..restore.reporting import check_report
from ..restore.restorer import Restorer, RestoreReport, StageSeconds
from ..restore.survey import Survey
from ..types import Notify, Progress, Stretch, VFEError, no_progress
from ..video.errors import reading, writing
from ..video.read import Source, open_source
from ..video.write import check_output
from .arithmetic import computing_with
from .assembly import Assembly, Piece
from .chunks import output_of
from .fitting import fitting
from .holding import holding
from .layout import ASSEMBLY, PLAN, survey_folder
from .leftovers import remove_job, remove_leftovers
from .missing import SegmentsMissing
from .plan import Plan, folder_digest
from .planning import make_plan
from .records import TRIES, Record, SegmentFiles
from .reported import JobReport
from .request import JobRequest
from .result import Assembled, Result
from .status import JobStatus, status_of
from .work import SegmentWork, TryFailed

_POLL = 1.0  # seconds between two looks at segments that others work on


class Job:
    """A restoration in parts: planned once, restored segment by segment, and assembled as if one process had done it.

    All of its state is in its folder: `job.json`, which nothing changes, and for each segment that is done a chunk and
    what vouches for it. So whatever dies, the work goes on where it was.
    """

    def __init__(self, folder: Path, planned: Plan, survey: Survey, restorer: Restorer | None = None) -> None:
        """`planned` and `survey` are those in `folder`; `restorer` is the model, if it is loaded already."""
        self.folder = folder
        self.planned = planned
        self.survey = survey
        self._restorer = restorer

    @classmethod
    def plan(
        cls,
        request: JobRequest,
        folder: str | Path,
        restorer: Restorer | None = None,
        on_progress: Progress | None = None,
        notify: Notify | None = None,
    ) -> Job:
        """Look through the source, divide it into segments, and write that into a new folder.

        `restorer` is the model of the request, if it is loaded already. `on_progress` gets the frames looked at, and
        `notify` a line on what the disk needs. Raises VFEError for what cannot be read or written, and for a folder
        that is in use.
        """
        restorer = restorer or request.model.load(notify)
        plan, survey = make_plan(request, Path(folder), restorer, on_progress or no_progress, notify or _nobody)
        return cls(Path(folder), plan, survey, restorer)

    @classmethod
    def open(cls, folder: str | Path, restorer: Restorer | None = None) -> Job:
        """Open the folder of a job. Raises VFEError where it is none, or was changed by other hands."""
        folder = Path(folder)
        plan, where = Plan.read(folder), survey_folder(folder)
        with reading(where):
            is_same = folder_digest(where) == plan.survey
        if not is_same:
            raise VFEError(f"{where}: was changed since the job was planned; plan it anew")
        survey = Survey.read(where)
        if len(survey.frames) != plan.frames:
            raise VFEError(
                f"{folder / PLAN}: has segments of {plan.frames} frames, not {len(survey.frames)}; plan the job anew"
            )
        return cls(folder, plan, survey, restorer)

    def run(self, on_progress: Progress | None = None) -> None:
        """Restore all segments that are not done; other processes may do the same at the same time.

        One that fails is tried again after the others, three times in all. `on_progress` gets the frames of the whole
        clip that are done. Raises VFEError where the folder cannot be written to; failures are in `status`.
        """
        report, total = on_progress or no_progress, self.planned.frames
        with writing(self.folder):
            remove_leftovers(self.folder)
        while (number := self._next()) is not None:
            done = sum(len(stretch) for stretch, files in self._segments() if files.record())
            with suppress(TryFailed):
                self.segment(number, partial(_report_on, report, done, total))

    def segment(self, number: int, on_progress: Progress | None = None) -> Record:
        """Restore one segment, unless it is done and its chunk is sound, and return what vouches for it.

        `on_progress` gets its frames that are done. Raises TryFailed, which is a VFEError, where it could not be
        restored, and VFEError for a number that is none and a folder that cannot be written to.
        """
        if not 0 <= number < len(self.planned.segments):
            last = len(self.planned.segments) - 1
            raise VFEError(f"{self.folder}: there is no segment {number}; needed is a number from 0 to {last}")
        files, request = self._files(number), self.planned.order.request
        if (record := self._proved(files)) is not None:
            return record
        with self._source() as source, computing_with(self.planned.arithmetic.threads):
            size = request.options.output_size(source.info.width, source.info.height)
            self._restorer = fitting(self.planned, self._restorer, size)
            output = output_of(request, source.info, request.result)
            work = SegmentWork(self.planned, number, self.survey, source, output)
            with holding(files, on_progress or no_progress) as report:
                try:
                    return work.restore(self._restorer, files, report)
                except TryFailed as error:
                    with writing(files.chunk):
                        files.fail(str(error))
                    raise

    def assemble(
        self,
        result: str | Path | None = None,
        *,
        allow_gaps: bool = False,
        overwrite: bool = False,
        report: Path | None = None,
        on_progress: Progress | None = None,
    ) -> RestoreReport:
        """Put the chunks together into `result`, by default where the request wanted it, with sound and all the rest.

        Every chunk is proved by its hash first, and one that is damaged is thrown away. `allow_gaps` passes the source
        through where a segment is missing, which the notes say. `report` is a page or JSON to which is written what
        was done, as by `report`. Raises SegmentsMissing without leave for gaps, and VFEError where the result or the
        report cannot be written.
        """
        place = self._place(result)
        outcome = Result(self.folder, place)
        pieces = self._pieces()
        gaps = [number for number, piece in enumerate(pieces) if piece.record is None]
        if gaps and not allow_gaps:
            raise SegmentsMissing(self.folder, gaps, [pieces[number].files.failures() for number in gaps])
        with self._source() as source:
            assembled = outcome.assembled()
            if assembled is None or assembled.gaps != len(gaps):
                check_output(place, source.info, overwrite=overwrite)
                if report is not None:
                    check_report(report, source.info, (place,), overwrite=overwrite)
                assembled = self._assembled(outcome, pieces, source, on_progress or no_progress)
            if not outcome.is_in_place(assembled):
                check_output(place, source.info, overwrite=overwrite or outcome.has_begun_to_move())
                outcome.publish()
            if report is not None:
                made = JobReport(self.planned, self.survey, source)
                made.write(report, made.of(pieces, assembled, place), overwrite=overwrite)
        restoring = sum(piece.record.seconds for piece in pieces if piece.record is not None)
        stages = StageSeconds(decode=0.0, restore=self.planned.seconds + restoring, encode=assembled.seconds)
        return RestoreReport(place, assembled.frames, sum(stages), stages, assembled.notes, self.survey.lost)

    def report(self, path: Path, result: str | Path | None = None, *, overwrite: bool = False) -> None:
        """Write a page or JSON, as its name says, of a result that is in its place: what was done, in numbers and
        pictures.

        A report of this job that is there already stays. Raises VFEError where something else is there without leave
        to `overwrite`, where the result is not in its place, and where nothing can be written.
        """
        place = self._place(result)
        outcome = Result(self.folder, place)
        assembled = outcome.assembled()
        if assembled is None or not outcome.is_in_place(assembled):
            raise VFEError(f"{place}: is not what this job made; assemble it first")
        pieces = [Piece(stretch, files, files.record()) for stretch, files in self._segments()]
        with self._source() as source:
            made = JobReport(self.planned, self.survey, source)
            made.write(path, made.of(pieces, assembled, place), overwrite=overwrite)

    def is_whole(self) -> bool:
        """Return whether all that segments left is there: it is not when they are not done, or are being deleted."""
        return all(files.record() is not None and files.measured.exists() for _, files in self._segments())

    def status(self) -> JobStatus:
        """Return how far the job is, whoever works on it."""
        return status_of(list(self._segments()))

    def result(self, place: Path | None = None) -> Result:
        """Return the output, on its way to `place`, by default where the request wanted it."""
        return Result(self.folder, place or self.planned.order.request.result)

    def assembling(self) -> SegmentFiles:
        """Return the files by which a process says that it assembles the output."""
        return SegmentFiles(self.folder, ASSEMBLY)

    def remove(self) -> None:
        """Delete what the job has in its folder, and the folder. Raises VFEError where that is not allowed."""
        with writing(self.folder):
            remove_job(self.folder)

    def _next(self) -> int | None:
        """Return the segment to be restored next, or None where all are done or marked as failed.

        Where others work on all that are left, that is waited for: they may die.
        """
        while True:
            undone = [(len(files.failures()), number, files) for number, (_, files) in enumerate(self._segments())
                      if files.record() is None]  # fmt: skip
            left = [segment for segment in undone if segment[0] < TRIES]
            free = [(failed, number) for failed, number, files in left if files.held() is None]
            if free or not left:
                return min(free)[1] if free else None
            time.sleep(_POLL)

    def _pieces(self) -> list[Piece]:
        """Return what the output is made of; damaged chunks are thrown away, for they are gaps."""
        return [Piece(stretch, files, self._proved(files)) for stretch, files in self._segments()]

    def _proved(self, files: SegmentFiles) -> Record | None:
        """Return what vouches for a chunk that is sound; one that is not is thrown away."""
        record = files.record()
        if record is None:
            return None
        with reading(files.chunk):
            if files.is_sound():
                return record
        with writing(files.chunk):
            files.reject()
        return None

    def _assembled(self, outcome: Result, pieces: list[Piece], source: Source, on_progress: Progress) -> Assembled:
        """Write the output into the job's folder, and vouch for it."""
        started = time.perf_counter()
        gaps = sum(piece.record is None for piece in pieces)
        with writing(self.folder):
            outcome.forget()
        output = output_of(self.planned.order.request, source.info, outcome.aside)
        with holding(self.assembling(), on_progress) as report:
            notes = Assembly(self.planned, self.survey, source, output).write(pieces, report)
            seconds = time.perf_counter() - started
            with writing(outcome.aside):
                peak, frames = PeakMemory.now(), self.planned.frames
                return outcome.vouch(lambda seen: Assembled(seen, frames, seconds, gaps, notes, peak))

    def _segments(self) -> Iterator[tuple[Stretch, SegmentFiles]]:
        for number, stretch in enumerate(self.planned.segments):
            yield stretch, self._files(number)

    def _files(self, number: int) -> SegmentFiles:
        return SegmentFiles(self.folder, self.planned.segment_id(number))

    def _place(self, result: str | Path | None) -> Path:
        """Return where the result goes. Raises VFEError where it is of another kind than the one that was planned."""
        planned = self.planned.order.request.result
        place = planned if result is None else Path(result)
        if place.suffix.lower() != planned.suffix.lower():
            raise VFEError(f"{place}: the job was planned for {planned.suffix or 'a folder'}; plan it anew for this")
        return place

    @contextmanager
    def _source(self) -> Iterator[Source]:
        """Open the source. Raises VFEError where it is not the one that was planned for any more."""
        with open_source(self.planned.order.request.source) as source:
            self.planned.order.check_source(source.info)
            yield source


def _report_on(report: Progress, before: int, total: int, done: int, _of_segment: int | None) -> None:
    report(before + done, total)


def _nobody(line: str) -> None:
    del line
