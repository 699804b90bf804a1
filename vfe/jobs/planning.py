"""A job is planned: one pass over the source, and a folder that appears when it is complete."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from ..files.aside import hidden_name
from ..restore.reporting import names_of
from ..restore.restorer import Restorer
from ..restore.survey import Survey
from ..types import Notify, Progress, VFEError
from ..video.errors import writing
from ..video.read import open_source
from ..video.target import output_kind
from .arithmetic import arithmetic_of
from .chunks import output_of
from .disk import DiskNeed
from .layout import PLAN, survey_folder
from .leftovers import forget_answers, holds_only_leftovers, remove_rest
from .looking import look_through
from .order import Order
from .plan import Plan, folder_digest
from .request import JobRequest
from .segments import divided


class FolderInUse(VFEError):
    """A job was to be put into a folder in which something is already."""


def make_plan(
    request: JobRequest, folder: Path, restorer: Restorer, on_progress: Progress, tell: Notify
) -> tuple[Plan, Survey]:
    """Look through a source, divide it, and write the plan into a new folder; `tell` hears what the disk needs.

    Raises VFEError for what cannot be read or written, for a folder that something else is in, and for a disk that is
    too small.
    """
    check_is_free(folder)
    started, options = time.perf_counter(), request.options
    with open_source(request.source) as source:
        info = source.info
        if output_kind(request.result, info) == "image":
            raise VFEError(f"{request.result}: is one image, for which no job is needed; use `vfe enhance`")
        size = options.output_size(info.width, info.height)
        output = output_of(request, info, request.result)  # what no encoder takes fails first
        if info.frames:
            _look_at_disk(request, folder, DiskNeed.of(output, info.frames, size), tell)
        order = Order.of(request, info)
        survey = look_through(source, order.source, folder, restorer, options, on_progress)
        order.check_source(info)  # it may have been written to meanwhile
        if not info.frames:
            _look_at_disk(request, folder, DiskNeed.of(output, len(survey.frames), size), tell)
    with writing(folder):
        aside = hidden_name(folder)
        try:
            survey_folder(aside).mkdir(parents=True)
            survey.write(survey_folder(aside))
            plan = Plan(
                order,
                arithmetic_of(restorer, size),
                folder_digest(survey_folder(aside)),
                divided(len(survey.frames), survey.cuts, request.segment_frames),
                names_of(restorer),
                round(time.perf_counter() - started, 3),
            )
            plan.write(aside)
            _put(aside, folder)
            forget_answers(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    if changed := Plan.read(folder).order.changes(order):
        raise VFEError(f"{folder}: another process planned another job there, by {', '.join(changed)}; choose another")
    return Plan.read(folder), Survey.read(survey_folder(folder))


def _look_at_disk(request: JobRequest, folder: Path, need: DiskNeed, tell: Notify) -> None:
    """Tell what the disk needs. Raises VFEError where it will not do and nobody said to go on regardless."""
    disk = folder.absolute().parent
    if request.checks_disk:
        need.check(disk)
    for line in need.lines(disk):
        tell(line)


def _put(aside: Path, folder: Path) -> None:
    """Give a planned job its name, unless another process did so with its own meanwhile. Raises OSError."""
    remove_rest(folder)
    try:
        aside.rename(folder)
    except OSError:
        if not (folder / PLAN).exists():
            raise


def check_is_free(folder: Path) -> None:
    """Raise VFEError unless a job can be put into a folder, which may be there if nothing is in it: FolderInUse."""
    parent = folder.absolute().parent
    if not parent.is_dir():
        raise VFEError(f"{parent}: no such folder; create it first or choose another one for the job")
    if folder.exists() and not (folder.is_dir() and holds_only_leftovers(folder)):
        raise FolderInUse(
            f"{folder}: is in use; choose a new or an empty folder for the job, or go on with the one there"
        )
