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
from ..options import RestoreOptions
from ..types import VFEError
from .parser import WrongUsage, given_of, model_options_of
from .progress import ProgressLine
from .text import say

if TYPE_CHECKING:
    from ..cluster.pool import RayPool
    from ..cluster.tasks import Film


def enhance_on_cluster(args: argparse.Namespace, options: RestoreOptions) -> None:
    """Restore one clip. Raises WrongUsage for what a job cannot do, and VFEError where the clip was not restored."""
    from .enhance import summary_line
    from .long_clips import needs_single_pass

    if alone := needs_single_pass(args, options):
        raise WrongUsage(f"--ray restores in parts, and {alone} needs a single pass; leave one of them out")
    clip = Clip(args.input, Path(args.input.name))
    progress = ProgressLine(sys.stderr)
    with ray_pool(args) as pool:
        pool.submit(FileTask(clip, args.output, options, given_of(args)))
        try:
            outcome = _followed(pool, progress)
        finally:
            progress.clear()
    if isinstance(outcome, Failed):
        raise VFEError(outcome.reason)
    for note in outcome.notes:
        say(note if note.startswith("note: ") else f"note: {note}")
    say(summary_line(outcome.frames, outcome.seconds, args.output))


def ray_pool(args: argparse.Namespace) -> RayPool:
    """Return a pool for the files of a command line, on the cluster that it names."""
    from ..cluster.pool import RayPool

    return RayPool(args.ray, film_of(args), on_cpu=args.device == "cpu", is_lite=args.model == "lite")


def film_of(args: argparse.Namespace) -> Callable[[FileTask], Film]:
    """Return what makes a film of a file, with absolute names, as workers run in other folders."""
    from ..cluster.tasks import Film
    from ..jobs.request import ModelRequest, options_from_json, options_to_json
    from ..jobs.whole import WholeRun, job_folder
    from .long_clips import job_request

    def film(task: FileTask) -> Film:
        output = task.output.absolute()
        of_file = argparse.Namespace(**{**vars(args), "input": task.clip.path.absolute()})
        request = job_request(of_file, output, task.options, model_options_of(args))
        request = replace(
            request,
            options=options_from_json(options_to_json(request.options)),
            model=ModelRequest.from_json(request.model.to_json()),
        )
        folder = job_folder(output) if args.job is None else args.job.absolute()
        run = WholeRun(folder, overwrite=args.overwrite, resume=not args.no_resume, keep=args.keep_work)
        return Film(request, run)

    return film


def _followed(pool: RayPool, progress: ProgressLine) -> Made | Failed:
    """Return what became of the only file of a pool; `progress` hears how far it is meanwhile."""
    while True:
        for _, report in pool.wait(None):
            if not isinstance(report, Progressed):
                return report
            progress(report.done, report.total)
