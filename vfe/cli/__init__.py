"""The command `vfe`. Exit codes: 0 done, 1 an error, 2 wrong usage, 130 interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType

from ..own_process import keep_freed_memory, wait_briefly
from .parser import Parser, WrongUsage, build_parser

INTERRUPTED = 130
"""The exit code that shells report for a command that Ctrl-C ended."""
CLEANUP_SECONDS = 2.0
"""The seconds for which a second signal is not listened to."""


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
        with _signals_interrupt(process_ends=argv is None):
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


@contextmanager
def _signals_interrupt(process_ends: bool) -> Iterator[None]:
    """Make Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt, so that half-written files are removed.

    A signal that is being ignored (nohup) stays so. Handlers are put back at the end; where the process ends with an
    interrupted run, signals are ignored from then on, so that an impatient second one does not change its exit code.
    """
    previous = {}
    interrupt = _Interrupt()
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                previous[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_IGN if interrupt.raised and process_ends else handler)


class _Interrupt:
    """The handler of signals that raises KeyboardInterrupt.

    An impatient second signal is not to interrupt the cleaning up after the first.
    """

    def __init__(self) -> None:
        self.raised: float | None = None
        """When it raised last, in seconds of the monotonic clock."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        now = time.monotonic()
        if self.raised is None or now - self.raised >= CLEANUP_SECONDS:
            self.raised = now
            raise KeyboardInterrupt
