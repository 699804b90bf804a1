"""The command `vfe`. Exit codes: 0 done, 1 an error, 2 wrong usage, 130 interrupted."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ..own_process import INTERRUPTED, keep_freed_memory, signals_interrupt, wait_briefly
from .parser import Parser, WrongUsage, build_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: that of the process) and return its exit code.

    Wrong usage, --help and --version raise SystemExit, as argparse does.
    """
    parser = build_parser()
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        glob_hint = "; put a glob in quotes" if any(Path(name).exists() for name in unknown) else ""
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{glob_hint}")
    if argv is None:
        wait_briefly()
        keep_freed_memory()
    try:
        with signals_interrupt(process_ends=argv is None):
            return _run_guarded(parser, args)
    except KeyboardInterrupt:
        sys.stderr.write("vfe: interrupted\n")
        return INTERRUPTED


def _run_guarded(parser: Parser, args: argparse.Namespace) -> int:
    """Run the command; what goes wrong for reasons outside this program becomes one line.

    Each command is the function `run` of the module that is called like it, imported only now: most need torch.
    """
    from .errors import REPORTED, one_line  # imports av, which --help should not wait for

    try:
        import_module("." + args.command.replace("-", "_"), __package__).run(args)
    except WrongUsage as error:
        parser.error(str(error))
    except REPORTED as error:
        message = one_line(error)
        if message is None:
            raise
        sys.stderr.write(f"vfe: error: {message}\n")
        return 1
    return 0
