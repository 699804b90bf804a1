"""How fast files are restored by another version and by this one: `python -m benchmarks.versions REV CLIP`.

Both restore each clip in turn, several times, by `vfe enhance`, a process each: file to file, with starting up and
loading. REV is a commit, a branch or a tag; its files are checked out aside and removed afterwards. What follows `--`
goes to the command: `python -m benchmarks.versions COMMIT a.mp4 -- --region face`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from .machine import cpu_name, table

ROOT = Path(__file__).parents[1]


class Seconds(NamedTuple):
    """What a run took: by the clock, and of all cores together."""

    wall: float
    cpu: float


class Turns(NamedTuple):
    """The runs of both versions on one clip, in the order of the rounds."""

    before: list[Seconds]
    now: list[Seconds]

    def row(self, clip: str) -> list[str]:
        """A line of the table: seconds, and how many times as fast this version is in the median round."""
        wall, cpu = (
            median(old[kind] / new[kind] if new[kind] else 0.0 for old, new in zip(*self, strict=True))
            for kind in range(2)
        )
        listed = [", ".join(f"{run.wall:.1f}" for run in runs) for runs in self]
        return [clip, *listed, f"{wall:.2f}", f"{cpu:.2f}" if cpu else "not measured"]


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """The files of a version, in a folder that is gone afterwards. Ends the program where there is no such version."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "version"
        if _git("worktree", "add", "--detach", "--quiet", str(path), revision):
            sys.exit(f"{revision} could not be checked out, see above: give a commit, a branch or a tag")
        try:
            yield path
        finally:
            _git("worktree", "remove", "--force", str(path))


def _git(*arguments: str) -> int:
    return subprocess.run(["git", "-C", str(ROOT), *arguments]).returncode


def enhance(version: Path, clip: Path, options: list[str]) -> Seconds:
    """Restore a clip by the command of a version. Ends the program where that fails."""
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / f"restored{clip.suffix}")
        command = [sys.executable, "-m", "vfe", "enhance", str(clip.resolve()), "-o", output, *options]
        used, started = _cpu_seconds(), time.perf_counter()
        done = subprocess.run(command, cwd=version, capture_output=True, stdin=subprocess.DEVNULL, text=True)
        took = Seconds(time.perf_counter() - started, _cpu_seconds() - used)
    if done.returncode:
        sys.exit(f"{version.name} could not restore {clip.name}: {done.stderr.strip()}")
    return took


def _cpu_seconds() -> float:
    """Of all processes that were waited for; 0 on Windows, which does not tell."""
    used = os.times()
    return used.children_user + used.children_system


def in_turn(before: Path, clip: Path, rounds: int, options: list[str]) -> Turns:
    """Restore a clip by both versions, `rounds` times; which comes first alternates."""
    turns = Turns([], [])
    for number in range(rounds):
        order = [(before, turns.before), (ROOT, turns.now)]
        for version, runs in order if number % 2 == 0 else order[::-1]:
            runs.append(enhance(version, clip, options))
    return turns


def main(argv: list[str]) -> None:
    given, options = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.versions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revision", metavar="REV")
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP")
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args(given)
    with checked_out(args.revision) as before:
        rows = [in_turn(before, clip, args.rounds, options).row(clip.name) for clip in args.clips]
    header = ["clip", f"{args.revision}, s", "now, s", "times as fast", "by CPU time"]
    print(table(header, rows), f"\n{cpu_name()}; {args.rounds} rounds, medians of their ratios.", sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
