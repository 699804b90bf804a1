"""`vfe assemble`: put the segments of a job together."""

from __future__ import annotations

import argparse
import sys

from .enhance import summary
from .parser import check_report_name
from .progress import ProgressLine
from .text import say


def run(args: argparse.Namespace) -> None:
    """Write the result of the job, and delete the job; VFEError and OSError for what cannot be done."""
    from ..jobs.job import Job
    from ..jobs.whole import gaps_note

    check_report_name(args.report)
    job = Job.open(args.job)
    progress = ProgressLine(sys.stderr)
    try:
        report = job.assemble(
            args.output,
            allow_gaps=args.allow_gaps,
            overwrite=args.overwrite,
            report=args.report,
            on_progress=progress,
        )
    finally:
        progress.clear()
    for note in report.notes:
        say(f"note: {note}")
    has_gaps = job.status().done < job.planned.frames
    if has_gaps:
        say(f"note: {gaps_note(args.job)}")
    elif not args.keep_work:
        job.remove()
    say(summary(report))
