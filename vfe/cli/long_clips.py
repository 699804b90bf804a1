"""One clip is restored: through a job where it is long or a job is asked for, else in a single pass."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..jobs.request import JobRequest, ModelRequest
from ..jobs.whole import WholeRun, is_long, job_folder, restore_whole
from ..options import ModelOptions, RestoreOptions
from ..restore.restorer import Restorer, RestoreReport
from ..types import Notify, Progress
from ..video.pipe.streams import PIPE
from ..video.probe import probe
from .parser import WrongUsage, model_options_of
from .span import span_of


def restore_clip(
    args: argparse.Namespace, restorer: Restorer, options: RestoreOptions, progress: Progress, tell: Notify
) -> RestoreReport:
    """Restore `args.input`, or a span of it, into `args.output`; `tell` hears what a person should know meanwhile.

    Raises WrongUsage where a job is asked for and something that needs a single pass too.
    """
    alone = needs_single_pass(args, options)
    if args.job is not None and alone:
        raise WrongUsage(f"--job restores in parts, and {alone} needs a single pass; leave one of them out")
    long = args.job is not None or (args.input != PIPE and is_long(probe(args.input)))
    if not long or alone:
        if long:
            tell(f"note: {alone} needs a single pass: where this run is killed, it starts anew")
        return restorer.restore_file(args.input, args.output, options, progress, span_of(args))
    run = WholeRun(
        args.job or job_folder(args.output),
        overwrite=args.overwrite,
        resume=not args.no_resume,
        keep=args.keep_work,
        allow_gaps=args.allow_gaps,
        report=options.report,
    )
    request = job_request(args, args.output, options, model_options_of(args))
    return restore_whole(request, run, restorer, progress, tell)


def needs_single_pass(args: argparse.Namespace, options: RestoreOptions) -> str:
    """Return what of a command line a job cannot do, in the words of the command; "" where it can do all of it."""
    if PIPE in (args.input, args.output):
        return "a pipe"
    if span_of(args) is not None:
        return "a part of a clip"
    return "" if options.compare is None else "--compare"


def job_request(args: argparse.Namespace, result: Path, options: RestoreOptions, model: ModelOptions) -> JobRequest:
    """Return what the command line asks of a job; WrongUsage where it makes no sense."""
    from .enhance import window_of

    try:
        return JobRequest(
            source=args.input,
            result=result,
            options=options,
            model=ModelRequest(args.model, args.device, args.dtype, window_of(args).config, model),
            chunks=args.job_codec,
            segment_frames=args.segment_frames,
            checks_disk=not args.no_disk_check,
        )
    except ValueError as error:
        raise WrongUsage(str(error)) from error
