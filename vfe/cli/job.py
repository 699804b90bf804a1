"""`vfe job`: how far a job is, whoever works on it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .progress import clock_text
from .text import say

if TYPE_CHECKING:
    from ..jobs.status import JobStatus, SegmentStatus

_HEAD = ("segment", "frames", "state", "done", "frames/s", "worker")


def run(args: argparse.Namespace) -> None:
    """Say how far the job is, or with --count only of how many segments it is; VFEError where it is none."""
    from ..jobs.job import Job

    job = Job.open(args.job)
    if args.count:
        say(str(len(job.planned.segments)))
        return
    status = job.status()
    request = job.planned.order.request
    say(f"{args.job}: {request.source} to {request.result}")
    for line in table([_HEAD, *map(_row, status.segments)]):
        say(line)
    for segment in status.segments:
        for number, reason in enumerate(segment.failures, start=1):
            say(f"segment {segment.number} failed, try {number}: {reason}")
    if job.assembling().held() is not None:
        say("the result is being assembled")
    say(total_line(status))


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Return rows of cells as lines, with columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def total_line(status: JobStatus) -> str:
    """Return how far all of a job is, in one line."""
    from ..jobs.status import State

    counts = ", ".join(f"{status.count(state)} {state.value}" for state in State)
    plural = "" if len(status.segments) == 1 else "s"
    line = f"{len(status.segments)} segment{plural}: {counts}; {status.done}/{status.frames} frames"
    if status.rate:
        line += f", {status.rate:.1f} frames/s"
    if status.seconds_left and status.count(State.RUNNING):
        line += f", {clock_text(status.seconds_left)} left"
    return line


def _row(segment: SegmentStatus) -> tuple[str, ...]:
    stretch = segment.stretch
    return (
        str(segment.number),
        f"{stretch.start}-{stretch.stop - 1}",
        segment.state.value,
        f"{segment.frames}/{len(stretch)}",
        f"{segment.rate:.1f}" if segment.rate else "",
        segment.worker,
    )
