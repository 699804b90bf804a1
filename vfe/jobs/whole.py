"""A whole restoration through a job: begun, or gone on with where an earlier run ended, and tidied up after."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from ..restore.reporting import check_report
from ..restore.restorer import Restorer, RestoreReport, StageSeconds
from ..types import Notify, Progress, VFEError
from ..video.errors import writing
from ..video.info import VideoInfo
from ..video.probe import probe
from ..video.write import check_output
from .arithmetic import arithmetic_of
from .job import Job
from .layout import PLAN
from .leftovers import forget_answers, remove_job, remove_rest
from .missing import SegmentsMissing
from .order import Order
from .plan import Plan
from .planning import FolderInUse
from .records import TRIES
from .request import JobRequest
from .result import Assembled, Result

LONG_SECONDS = 60.0
"""The length of a clip from which on it is restored through a job: our own choice. Shorter ones are soon done again."""
_NO_STAGES = StageSeconds(0.0, 0.0, 0.0)
_PATIENCE = 10.0  # seconds in which another process deletes a job that is done
_POLL = 1.0  # seconds between two looks at an assembly of another process


@dataclass(frozen=True)
class WholeRun:
    """How a job is run from begin to end."""

    folder: Path
    overwrite: bool = False
    """Whether a result that exists is replaced."""
    resume: bool = True
    """Whether what an earlier run did counts."""
    keep: bool = False
    """Whether the folder of the job stays when the result is in its place."""
    allow_gaps: bool = False
    """Whether the source passes through where a segment failed three times; the folder of the job stays then."""
    report: Path | None = None
    """A page or JSON to which is written what was done."""


def is_long(info: VideoInfo) -> bool:
    """Return whether a clip is restored through a job: one of more than a minute, or of a length that nobody knows."""
    seconds = info.duration if info.frames is None else float(info.frames / info.rate)
    return info.kind != "image" and not info.is_piped and (seconds is None or seconds > LONG_SECONDS)


def job_folder(result: Path) -> Path:
    """Return where the job of a result lies unless told otherwise: beside it, hidden."""
    return result.with_name(f".{result.name}.vfe-job")


def restore_whole(
    request: JobRequest, run: WholeRun, restorer: Restorer, on_progress: Progress, tell: Notify
) -> RestoreReport:
    """Restore a source into the result of `request` through a job; `tell` hears what a person should know meanwhile.

    An earlier run of the same request is gone on with. Where something differs that is told, and the job starts anew.
    `on_progress` gets the frames looked at, restored and assembled, each time from 0 on. Raises SegmentsMissing where
    segments failed three times, and VFEError for what cannot be read or written.
    """
    started, is_new = time.perf_counter(), not (run.folder / PLAN).exists()
    job = begin(request, run, restorer, on_progress, tell)
    if isinstance(job, RestoreReport):
        return job
    try:
        report = _finish(job, request.result, run, on_progress)
        if job.status().failed:
            report = replace(report, notes=(*report.notes, gaps_note(run.folder)))
        else:
            _tidy_up(run)
    except VFEError:
        if not _is_done_by_others(request, run):
            raise
        with writing(run.folder):
            remove_rest(run.folder)  # what this process wrote while the other one deleted
        tell(f"another process finished the same job: {request.result}")
        return RestoreReport(request.result, job.planned.frames, 0.0, _NO_STAGES)
    # Of a job that is gone on with, the seconds are those of its segments: this run did not restore them all.
    return replace(report, seconds=time.perf_counter() - started) if is_new else report


def begin(
    request: JobRequest, run: WholeRun, restorer: Restorer, on_progress: Progress, tell: Notify
) -> Job | RestoreReport:
    """Return the job of an earlier run of the same request, or plan one; a report where all was done but to tidy up.

    Raises VFEError as `restore_whole` does.
    """
    info = probe(request.source)
    plan = _earlier_plan(request, run, restorer, info, tell)
    outcome = Result(run.folder, request.result)
    placed = None if plan is None else outcome.placed()
    if placed is not None:
        _report_late(request, run)
        _tidy_up(run)
        return _report_of(placed, request.result)
    if plan is None or outcome.assembled() is None:
        check_output(request.result, info, overwrite=run.overwrite)
        if run.report is not None:
            check_report(run.report, info, (request.result,), overwrite=run.overwrite)
    if plan is None:
        if not run.resume:
            forget_answers(run.folder)
        try:
            return Job.plan(request, run.folder, restorer, on_progress, tell)
        except FolderInUse:
            if not (run.folder / PLAN).exists():
                raise
            return begin(request, run, restorer, on_progress, tell)  # another process planned meanwhile
    job = Job.open(run.folder, restorer)
    tell(f"going on with the job in {run.folder}: {job.status().done} of {plan.frames} frames are done")
    return job


def _earlier_plan(request: JobRequest, run: WholeRun, restorer: Restorer, info: VideoInfo, tell: Notify) -> Plan | None:
    """Return the plan of an earlier run, if what that did counts for this one; a job that does not is deleted."""
    if not (run.folder / PLAN).exists():
        return None
    plan = Plan.read(run.folder)
    changed = [] if run.resume else ["--no-resume was given"]
    changed = changed or plan.order.changes(Order.of(request, info))
    if not changed:
        size = request.options.output_size(info.width, info.height)
        here = replace(arithmetic_of(restorer, size), window=plan.arithmetic.window)
        changed = here.differences(plan.arithmetic)
    if not changed:
        return plan
    tell(f"the job in {run.folder} starts anew: {', '.join(changed)}")
    with writing(run.folder):
        remove_job(run.folder)
    return None


def _finish(job: Job, result: Path, run: WholeRun, on_progress: Progress) -> RestoreReport:
    """Restore what is left, and assemble it; segments whose chunks turn out to be damaged are restored again."""
    for _ in range(TRIES):
        if (placed := job.result(result).placed()) is not None:  # by another process
            return _report_of(placed, result)
        job.run(on_progress)
        while job.assembling().held() is not None:
            time.sleep(_POLL)
        try:
            return job.assemble(result, overwrite=run.overwrite, report=run.report, on_progress=on_progress)
        except SegmentsMissing as missing:
            if set(missing.numbers) - job.status().failed:
                continue  # their chunks were damaged, and are restored again
            if not run.allow_gaps:
                raise
            return job.assemble(
                result, allow_gaps=True, overwrite=run.overwrite, report=run.report, on_progress=on_progress
            )
    raise VFEError(f"{job.folder}: chunks are damaged again and again; check the disk, or name another one with --job")


def gaps_note(folder: Path) -> str:
    """Say why the folder of a job stays where the source fills the gaps of a result."""
    return f"{folder} stays, for its missing segments may still be restored"


def _report_late(request: JobRequest, run: WholeRun) -> None:
    """Write the report of a result that is in its place, unless that was done: the job is deleted only afterwards."""
    if run.report is not None:
        job = Job.open(run.folder)
        if job.is_whole():
            job.report(run.report, request.result, overwrite=run.overwrite)


def _is_done_by_others(request: JobRequest, run: WholeRun) -> bool:
    """Return whether another process put the result in its place and deletes the job, or has deleted it."""
    until = time.monotonic() + _PATIENCE
    while request.result.exists() and time.monotonic() < until:
        if not (run.folder / PLAN).exists():
            return True
        time.sleep(_POLL)
    return False


def _report_of(placed: Assembled, result: Path) -> RestoreReport:
    return RestoreReport(result, placed.frames, placed.seconds, _NO_STAGES, placed.notes)


def _tidy_up(run: WholeRun) -> None:
    if not run.keep:
        with writing(run.folder):
            remove_job(run.folder)
