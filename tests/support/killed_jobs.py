"""`vfe enhance` that is killed and goes on: `python -m tests.support.killed_jobs HOW CLIP RESULT`.

The command runs in forks of this process, so that torch is imported once. `at-random` kills 20 runs at random moments;
`at-each-step` kills before each call that changes what is on the disk. The same line goes on, and what it wrote in the
end is compared with CLIP.expected; runs that are killed at random moments write a
report too. `while-looking` kills runs while nets look for faces, and says how often those were asked without kills too.
It says how often it killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import torch

import vfe.restore.restorer
from tests.support.killed import die_before
from tests.support.mixing_pipeline import MixingPipeline
from vfe.cli import main as vfe_main
from vfe.face.track.eyes import NetEyes
from vfe.pipeline.windows import WindowConfig

KILLS = 20
LONGEST = 0.8  # seconds that a run is given before it is killed


def started(line: list[str], prepare: Callable[[], None]) -> int:
    """Start the command in a fork, and return its process."""
    process = os.fork()
    if process == 0:
        try:
            prepare()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os._exit(vfe_main(line))
        finally:
            os._exit(99)
    return process


def ended(process: int) -> int | None:
    """Wait for a run, and return its exit code; None where it was killed."""
    _, status = os.waitpid(process, 0)
    return None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def at_random(line: list[str], result: Path, expected: bytes) -> None:
    """Kill runs until there were enough of them, and then let one end."""
    moments, kills, films = random.Random(7), 0, 0
    while True:
        process = started(line, lambda: None)
        if kills < KILLS:
            time.sleep(moments.uniform(0, LONGEST))
            os.kill(process, signal.SIGKILL)
        code = ended(process)
        if code is None:
            kills += 1
            if not is_done(result):
                continue
        elif code:
            raise SystemExit(f"exit code {code} after {kills} kills")
        films += 1
        check(result, expected)
        check_report(result)
        if kills >= KILLS:
            break
        result.unlink()
        report_of(result).unlink()
    sys.stdout.write(f"{kills} kills, {films} films")


def is_done(result: Path) -> bool:
    """Whether a run was killed when all was done."""
    return result.exists() and not (result.with_name(f".{result.name}.vfe-job") / "job.json").exists()


def at_each_step(line: list[str], result: Path, expected: bytes) -> None:
    """Kill a run before its first step, and let another go on; a second one before its second step, and so on."""
    for step in count():
        code = ended(started(line, partial(die_before, step)))
        if code == 0:
            break
        if code is not None or (not is_done(result) and ended(started(line, lambda: None)) != 0):
            raise SystemExit(f"it did not go on after it was killed before step {step}")
        check(result, expected)
        result.unlink()
    check(result, expected)
    sys.stdout.write(f"{step} kills")


def while_looking(line: list[str], result: Path, expected: bytes) -> None:
    """Kill runs at one of the first questions to the nets; each must be answered once, but for those of the kills."""
    asked, moments, kills = result.with_name("asked"), random.Random(3), 0
    undisturbed = [*line, "--job", str(result.with_name("undisturbed"))]
    if ended(started(undisturbed, partial(count_questions, asked, None))) != 0:
        raise SystemExit("a run that nobody killed failed")
    check(result, expected)
    result.unlink()
    needed = asked.stat().st_size
    asked.unlink()
    while (code := ended(started(line, partial(count_questions, asked, moments.randint(2, 5))))) is None:
        kills += 1
    if code != 0:
        raise SystemExit(f"exit code {code} after {kills} kills")
    check(result, expected)
    sys.stdout.write(f"{kills} kills, {asked.stat().st_size - kills} of {needed} questions")


def count_questions(file: Path, last: int | None) -> None:
    """Let this process note each question to the nets in a file, a byte each, and die at the one of this number."""
    left = [last or -1]

    def noting(answer: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*question: Any) -> Any:  # noqa: ANN401 - any question
            with file.open("ab") as notes:
                notes.write(b".")
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer(*question)

        return asked

    for name in ("detect", "follow", "meet"):
        setattr(NetEyes, name, noting(getattr(NetEyes, name)))


def check(result: Path, expected: bytes) -> None:
    """Leave with an error unless the result is the expected one."""
    if result.read_bytes() != expected:
        raise SystemExit("the film differs from that of one pass")


def check_report(result: Path) -> None:
    """Leave with an error unless the report is there and tells of all frames."""
    report = json.loads(report_of(result).read_text(encoding="ascii"))
    if sum(segment["stop"] - segment["start"] for segment in report["segments"]) != report["frames"]:
        raise SystemExit("the report tells of other segments")


def report_of(result: Path) -> Path:
    """Where the report of a film is."""
    return result.with_suffix(".json")


def main(how: str, clip: str, result: str) -> None:
    torch.set_num_threads(1)
    setattr(vfe.restore.restorer, "load_pipeline", lambda *_: MixingPipeline(WindowConfig(9, 1)))  # noqa: B010
    line = ["enhance", clip, "-o", result, "--job", f"{Path(result).parent}/.{Path(result).name}.vfe-job"]
    line += ["--face-model", "none", "--segment-frames", "20", "--device", "cpu"]
    line += ["--report", str(report_of(Path(result)))] if how == "at-random" else []
    line += ["--region", "face"] if how == "while-looking" else []
    expected = Path(f"{clip}.expected").read_bytes()
    ways = {"at-random": at_random, "at-each-step": at_each_step, "while-looking": while_looking}
    ways[how](line, Path(result), expected)


if __name__ == "__main__":
    main(*sys.argv[1:])
