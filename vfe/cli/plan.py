"""`vfe plan`: look through a long clip and divide it into segments, for any number of processes to restore."""

from __future__ import annotations

import argparse
import sys

from ..library.find import find_model
from ..library.folders import search_folders
from ..video.output_name import output_for
from ..video.pipe.streams import PIPE
from .parser import WrongUsage, all_options_of
from .progress import ProgressLine
from .text import say


def run(args: argparse.Namespace) -> None:
    """Write the job; WrongUsage for values that make no sense, VFEError and OSError for what cannot be done."""
    options, model = all_options_of(args)
    if args.input == PIPE:
        raise WrongUsage("a job reads its source many times, and a pipe can be read once; give the name of a file")
    find_model(args.model, search_folders(args.models, args.comfyui))

    from ..jobs.job import Job
    from .long_clips import job_request

    request = job_request(args, args.result or output_for(args.input), options, model)
    progress = ProgressLine(sys.stderr, first="looking through the clip")
    try:
        job = Job.plan(request, args.output, None, progress, say)
    finally:
        progress.clear()
    for note in (*job.survey.notes, *job.survey.plan.notes):
        say(f"note: {note}")
    count = len(job.planned.segments)
    numbers = "1 segment, number 0" if count == 1 else f"{count} segments, numbers 0 to {count - 1}"
    say(f"{args.output}: {job.planned.frames} frames in {numbers}; for {request.result}")
