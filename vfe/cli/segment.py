"""`vfe segment`: restore segments of a job, those that are named or all that are left."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..types import VFEError
from .job_options import ALL
from .progress import ProgressLine
from .text import say

if TYPE_CHECKING:
    from ..jobs.job import Job


def run(args: argparse.Namespace) -> None:
    """Restore segments of the job; VFEError and OSError for what cannot be done."""
    from ..jobs.job import Job

    job = Job.open(args.job)
    for number in (None,) if ALL in args.numbers else args.numbers:
        progress = ProgressLine(sys.stderr)
        try:
            if number is None:
                job.run(progress)
            else:
                job.segment(number, progress)
        finally:
            progress.clear()
        if number is not None:
            stretch = job.planned.segments[number]
            say(f"segment {number} is done: frames {stretch.start} to {stretch.stop - 1}")
    if ALL in args.numbers:
        _check_all(args.job, job)


def _check_all(folder: Path, job: Job) -> None:
    """Raise VFEError where segments failed."""
    from ..jobs.status import State

    failed = [segment for segment in job.status().segments if segment.state is State.FAILED]
    if failed:
        numbers = ", ".join(str(segment.number) for segment in failed)
        raise VFEError(f"{folder}: failed {len(failed[0].failures)} times: segment {numbers}; {failed[0].failures[-1]}")
    say(f"{folder}: all segments are done; `vfe assemble {folder}` writes the result")
