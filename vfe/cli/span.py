"""The part of a clip that a command line asks for by --from and --to."""

from __future__ import annotations

import argparse

from ..types import TimeSpan
from .parser import WrongUsage


def span_of(args: argparse.Namespace) -> TimeSpan | None:
    """Return the span of the clip that a command line asks for, if any; WrongUsage where there can be none."""
    if args.start is None and args.end is None:
        return None
    try:
        return TimeSpan(args.start or 0.0, args.end)
    except ValueError as error:
        raise WrongUsage(f"--from and --to: {error}") from error
