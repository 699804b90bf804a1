"""`vfe enhance` of a folder or glob of clips: deal them out to processes, say what becomes of each."""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..batch.clips import Found
from ..batch.option_files import OptionFiles
from ..batch.plan import Choices, Failed, FileTask, Made, Planner
from ..batch.pool import Pool, WorkerPool
from ..batch.record import Record
from ..batch.report_names import ReportNames
from ..batch.run import Arrivals, Ended, Listed, run_batch
from ..batch.watch import Watch
from ..options import ModelOptions, RestoreOptions
from ..types import Progress, VFEError
from ..video.pipe.streams import PIPE
from ..video.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from .errors import REPORTED, one_line
from .folder_lines import FolderLines
from .on_cluster import ray_pool
from .parser import WrongUsage, given_of, model_options_of

if TYPE_CHECKING:
    from ..batch.worker import RestoreFile
    from ..restore.restorer import Restorer

OF_SPEED = frozenset({"attention", "compile", "memory", "folders", "comfyui", "context"})
"""The options of models that say how they run or where they are: a result does not depend on them."""


def enhance_folder(args: argparse.Namespace, model: ModelOptions, found: Found) -> None:
    """Restore the clips that were found, or those that appear; the last line says how many of them failed.

    Raises WrongUsage for values that make no sense, and VFEError where a file failed or none can be restored.
    """
    if args.output.is_dir() and args.output.samefile(found.root):
        raise VFEError(f"{args.output}: is the folder of the inputs; choose another folder")
    if not found.clips and not found.unread and not args.watch:
        raise VFEError(f"{args.input}: no videos or images there; `vfe info FILE` says whether a file is one")
    _check_usage(args)
    reports = _reports_of(args)
    if not args.dry_run:
        _make_folder(args.output)
        if reports is not None:
            _make_folder(reports.folder)
    note = _check_with_torch(args)
    record = Record(args.output)
    choices = Choices(
        args.output, given_of(args), of_the_result(args, model), args.overwrite, not args.no_resume, reports
    )
    planner = Planner(choices, OptionFiles(found.root), record)
    lines = FolderLines(sys.stdout, sys.stderr, None if args.watch else len(found.clips) + len(found.unread))
    if note:
        lines.note(note)
    if record.bad_lines:
        lines.note(f"{record.bad_lines} lines of {record.path} are no entries and count for nothing")
    if args.dry_run:
        _plan_only(planner, found, lines)
    else:
        arrivals = Watch(args.input, args.output, pictures=args.pictures) if args.watch else Listed(found)
        workers = WorkerPool(FileLoader(args), args.jobs or 1) if args.ray is None else ray_pool(args, model)
        _restore_all(planner, arrivals, workers, lines)
    if lines.failed:
        raise VFEError(f"{len(lines.failed)} of {lines.count} files could not be restored")


def _restore_all(
    planner: Planner, arrivals: Arrivals, workers: AbstractContextManager[Pool], lines: FolderLines
) -> None:
    """Restore what arrives. Ctrl-C is how a watch ends; anything else it interrupts."""
    ending = () if arrivals.have_ended else (KeyboardInterrupt,)
    with suppress(*ending), lines, workers as pool:
        for event in run_batch(planner, arrivals, pool):
            lines.tell(event)


def _plan_only(planner: Planner, found: Found, lines: FolderLines) -> None:
    """Say what would be done."""
    with lines:
        for note in found.notes:
            lines.note(note)
        for path, reason in found.unread:
            lines.tell(Ended(path, Failed(reason)))
        for clip in found.clips:
            planned = planner.plan(clip)
            if isinstance(planned, FileTask):
                lines.would_restore(planned)
            else:
                lines.tell(Ended(clip.name, planned))


def _check_usage(args: argparse.Namespace) -> None:
    """Raise WrongUsage for what fits one file alone."""
    if args.output == PIPE:
        raise WrongUsage(f"{args.input} holds many files, which cannot be written to one pipe; give a folder")
    for option, value in (("--compare", args.compare), ("--job", args.job)):
        if value is not None:
            raise WrongUsage(f"{option} is of one file, and {args.input} holds many")
    if args.output.suffix.lower() in {*VIDEO_SUFFIXES, *IMAGE_SUFFIXES} and not args.output.is_dir():
        raise WrongUsage(f"{args.input} holds many files, and {args.output} names one; give a folder")
    if args.ray is not None and args.jobs is not None:
        raise WrongUsage("--jobs counts processes of this machine, and a cluster has its own; leave one of them out")
    if args.watch and args.dry_run:
        raise WrongUsage("--watch waits for files and --dry-run does nothing with them; give one of the two")
    try:
        given_of(args).applied_to(RestoreOptions())
    except ValueError as error:
        raise WrongUsage(str(error)) from error


def _reports_of(args: argparse.Namespace) -> ReportNames | None:
    """Return where the reports go; WrongUsage for the name of one report."""
    try:
        return None if args.report is None else ReportNames.of(args.report)
    except ValueError as error:
        raise WrongUsage(f"{args.input} holds many files, and {error}") from error


def _check_with_torch(args: argparse.Namespace) -> str:
    """Check what needs torch for it, but only where it was given; return a note on the window, or "" without one.

    Raises WrongUsage for a window that is none, and VFEError for a choice of faces that is none.
    """
    from .enhance import window_of

    if args.faces is not None:
        from ..face.track.select import FaceSelection

        FaceSelection.parse(args.faces)
    return "" if args.window is None and args.overlap is None else window_of(args).note or ""


def _make_folder(output: Path) -> None:
    """Make the folder of the outputs. Raises VFEError where that would be in a folder that is not there."""
    if not output.absolute().parent.is_dir():
        raise VFEError(f"{output.absolute().parent}: no such folder; create it first or choose another output")
    if output.exists() and not output.is_dir():
        raise VFEError(f"{output}: is a file; many files need a folder")
    output.mkdir(exist_ok=True)


def of_the_result(args: argparse.Namespace, model: ModelOptions) -> dict[str, Any]:
    """Return what was chosen of the model and a result depends on."""
    chosen = {f.name: getattr(model, f.name) for f in fields(ModelOptions) if f.name not in OF_SPEED}
    return {**chosen, "model": args.model, "window": args.window, "overlap": args.overlap}


@dataclass(frozen=True)
class FileLoader:
    """Loads the model in a worker, for files with the options of one command line."""

    args: argparse.Namespace

    def __call__(self) -> RestoreFile | Failed:
        """Return what restores a file, or why the model cannot be loaded."""
        from .enhance import load_restorer

        try:
            restorer = load_restorer(self.args, model_options_of(self.args), lambda _: None)
        except (*REPORTED, WrongUsage) as error:
            return _failed(error)
        return lambda task, progress: self._restore(restorer, task, progress)

    def _restore(self, restorer: Restorer, task: FileTask, progress: Progress) -> Made | Failed:
        """Restore one file as the command line of that file alone would."""
        from .enhance import check_fits, restore

        args = argparse.Namespace(**{**vars(self.args), "input": task.clip.path, "output": task.output})
        told: list[str] = []
        try:
            check_fits(args.model, restorer.face_part is not None, task.options, task.given)
            report = restore(args, restorer, task.options, progress, told.append)
        except (*REPORTED, WrongUsage) as error:
            return Failed(_failed(error).reason.removeprefix(f"{task.clip.path}: "))
        notes = [line.removeprefix("note: ") for line in told]
        return Made(report.frames, report.seconds, (*notes, *report.notes))


def _failed(error: BaseException) -> Failed:
    """Return an error as the reason why a file failed. Raises it again where it is a bug."""
    line = str(error) if isinstance(error, WrongUsage) else one_line(error)
    if line is None:
        raise error
    return Failed(line)
