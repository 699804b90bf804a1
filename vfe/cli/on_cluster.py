"""`vfe enhance --ray`: films are restored by the workers of a cluster."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..batch.clips import Clip
from ..batch.plan import Failed, FileTask, Made
from ..batch.worker import Progressed
from ..library.find import find_model
from ..library.folders import search_folders
from ..options import ModelOptions, RestoreOptions
from ..types import VFEError
from .parser import WrongUsage, given_of
from .progress import ProgressLine
from .text import say

if TYPE_CHECKING:
    from ..cluster.pool import RayPool
    from ..cluster.tasks import Film


def enhance_on_cluster(args: argparse.Namespace, options: RestoreOptions, model: ModelOptions) -> None:
    """Restore one clip. Raises WrongUsage for what a job cannot do, and VFEError where the clip was not restored."""
    from ..face.track.select import FaceSelection
    from .enhance import check_fits, summary_line, window_of
    from .long_clips import needs_single_pass

    if alone := needs_single_pass(args, options):
        raise WrongUsage(f"--ray restores in parts, and {alone} needs a single pass; leave one of them out")
    FaceSelection.parse(options.faces)
    check_fits(args.model, has_face_part(args, model), options, given_of(args))
    window = window_of(args)
    clip = Clip(args.input, Path(args.input.name))
    progress = ProgressLine(sys.stderr)
    with ray_pool(args, model) as pool:
        say(f"{pool.workers}: one looks through the clip, all restore segments of it, one assembles them", sys.stderr)
        pool.submit(FileTask(clip, args.output, options, given_of(args)))
        try:
            outcome = _followed(pool, progress)
        finally:
            progress.clear()
    if isinstance(outcome, Failed):
        raise VFEError(outcome.reason)
    for note in filter(None, (window.note, *outcome.notes)):
        say(note if note.startswith("note: ") else f"note: {note}")
    say(summary_line(outcome.frames, outcome.seconds, args.output))


def has_face_part(args: argparse.Namespace, model: ModelOptions) -> bool:
    """Return whether the model of a command line comes with a part for faces. Raises VFEError where there is none."""
    from ..loading.load import face_model_for

    folders = search_folders(model.folders, model.comfyui)
    return face_model_for(find_model(args.model, folders), model, folders) is not None


def ray_pool(args: argparse.Namespace, model: ModelOptions) -> RayPool:
    """Return a pool for the files of a command line, on the cluster that it names."""
    from ..cluster.pool import RayPool
    from ..weights.lite import is_lite_model

    is_lite = is_lite_model(find_model(args.model, search_folders(model.folders, model.comfyui)))
    return RayPool(args.ray, film_of(args, model), on_cpu=args.device == "cpu", is_lite=is_lite)


def film_of(args: argparse.Namespace, model: ModelOptions) -> Callable[[FileTask], Film | Failed]:
    """Return what makes a film of a file, with absolute names, as workers run in other folders."""
    from ..cluster.tasks import Film
    from ..jobs.request import ModelRequest
    from ..jobs.whole import WholeRun, job_folder
    from .enhance import check_fits
    from .long_clips import job_request

    finds_faces = has_face_part(args, model)

    def film(task: FileTask) -> Film | Failed:
        output = task.output.absolute()
        of_file = argparse.Namespace(**{**vars(args), "input": task.clip.path.absolute()})
        try:
            check_fits(args.model, finds_faces, task.options, task.given)
            request = job_request(of_file, output, task.options, model)
        except WrongUsage as error:
            return Failed(str(error))
        tracks = None if task.options.tracks is None else task.options.tracks.absolute()
        request = replace(
            request,
            options=replace(task.options, tracks=tracks),
            model=ModelRequest.from_json(request.model.to_json()),
        )
        run = WholeRun(
            job_folder(output) if args.job is None else args.job.absolute(),
            overwrite=args.overwrite,
            resume=not args.no_resume,
            keep=args.keep_work,
            allow_gaps=args.allow_gaps,
            report=None if task.options.report is None else task.options.report.absolute(),
        )
        return Film(request, run)

    return film


def _followed(pool: RayPool, progress: ProgressLine) -> Made | Failed:
    """Return what became of the only file of a pool; `progress` hears how far it is meanwhile."""
    while True:
        for _, report in pool.wait(None):
            if not isinstance(report, Progressed):
                return report
            progress(report.done, report.total)
