"""`vfe curate` that is killed and goes on: `python -m tests.support.killed_curation RAW EXPECTED WORK`.

The command runs in forks of this process, so that torch is imported once. A run is killed before its first call that
changes what is on the disk, and the same line goes on to the end; another one in a new folder before its second such
call, and so on until one is not killed. Each set is compared with EXPECTED, and the clips that were scored are counted.
It says how often it killed.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import torch

import vfe.cli.curate
from tests.support.counting_scorer import CountingScorer
from tests.support.curated import SMALL
from tests.support.inline_pool import InlinePool
from tests.support.killed import die_before
from vfe.cli import main as vfe_main
from vfe.curation.work import SURVEYS

KEEP = ("--keep-above", "20")


def curate(raw: Path, folder: Path, notes: Path, step: int | None) -> bool:
    """Curate in a fork, which is killed before the step of this number, and return whether it came to its end."""
    process = os.fork()
    if process == 0:
        try:
            setattr(vfe.cli.curate, "TaskPool", InlinePool)  # noqa: B010
            setattr(vfe.cli.curate, "scorer_choice", lambda _: CountingScorer(notes))  # noqa: B010
            if step is not None:
                die_before(step)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os._exit(vfe_main(["curate", str(raw), "-o", str(folder), *KEEP, *SMALL]))
        finally:
            os._exit(99)
    _, status = os.waitpid(process, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"exit code {os.WEXITSTATUS(status)} at step {step}")
    return not os.WIFSIGNALED(status)


def check(folder: Path, expected: Path, notes: Path, step: int) -> None:
    """Leave with an error unless a set is the expected one, and no clip was scored that had its line."""
    if (folder / "manifest.json").read_bytes() != (expected / "manifest.json").read_bytes():
        raise SystemExit(f"another manifest after a kill before step {step}")
    files, wanted = ({p.relative_to(f): p.read_bytes() for p in f.glob("*/*.*")} for f in (folder, expected))
    if files != wanted:
        raise SystemExit(f"other files after a kill before step {step}: {sorted(files.keys() ^ wanted.keys())}")
    lines = sorted((folder / "curation.jsonl").read_bytes().splitlines())
    if len(lines) != len((expected / "curation.jsonl").read_bytes().splitlines()):
        raise SystemExit(f"a line twice after a kill before step {step}")
    scored = notes.read_text().splitlines()
    if len(scored) > len(set(scored)) + 1:  # that one was scored when it was killed, before its line was written
        raise SystemExit(f"clips were scored twice after a kill before step {step}: {scored}")


def kill_at_each(raw: Path, expected: Path, work: Path, steps: Iterable[int], surveys: bool) -> int:
    """Kill before each of some steps, until a run is not killed, and return how often one was.

    `surveys` says whether the first passes over the sources are done already, which take most of the time.
    """
    kills = 0
    for step in steps:
        folder, notes = work / "set", work / "notes"
        notes.touch()
        if surveys:
            shutil.copytree(expected / SURVEYS, folder / SURVEYS)
        ended = curate(raw, folder, notes, step)
        if not ended and not curate(raw, folder, notes, None):
            raise SystemExit("a run that was not killed died")
        check(folder, expected, notes, step)
        shutil.rmtree(folder)
        notes.unlink()
        if ended:
            break
        kills += 1
    return kills


def main(raw: Path, expected: Path, work: Path) -> None:
    torch.set_num_threads(1)
    while_surveying = kill_at_each(raw, expected, work, range(1, 9), surveys=False)
    afterwards = kill_at_each(raw, expected, work, count(), surveys=True)
    sys.stdout.write(f"{while_surveying + afterwards} kills")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
