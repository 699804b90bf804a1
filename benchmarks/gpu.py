"""What to measure and test on a GPU that one has for minutes: `python -m benchmarks.gpu --minutes 3 --out runs/gpu`.

It runs the table of the Wan stages at full size (benchmarks/wan.py, without diffusers), the tests that need a GPU, and
those of fp8, offload and attention. Each writes a log into OUT; what does not fit into the time is stopped. It needs
torch, einops, safetensors, numpy, psutil and pytest; without pytest, the table alone. Exits with 1 where a test failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
KERNEL_TESTS = ("tests/models/test_fp8.py", "tests/models/test_offload.py", "tests/models/test_attention.py")
NO_TEST_CHOSEN = 5  # pytest's exit code where no test is of the marker
STOPPED = -1


class Step(NamedTuple):
    """A command of this repository, and the share that it may take of the time that is left."""

    name: str
    arguments: tuple[str, ...]
    share: float


def steps(out: Path) -> list[Step]:
    """The commands to run. Tests are named by file and read no conftest: it would need packages that a rented machine
    lacks."""
    table = Step("wan", ("-m", "benchmarks.wan", "--alone", "--rounds", "3", "--out", str(out)), 0.6)
    if find_spec("pytest") is None:
        return [table]
    pytest = ("-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider")
    return [
        table,
        Step("gpu", (*pytest, "-m", "gpu", *KERNEL_TESTS), 0.5),
        Step("kernels", (*pytest, *KERNEL_TESTS), 1.0),
    ]


def run(step: Step, out: Path, seconds: float) -> int:
    """Run a step, its output in a log. Returns its exit code, or STOPPED where it took longer than `seconds`."""
    with (out / f"{step.name}.log").open("w", encoding="utf-8") as log:
        try:
            command = [sys.executable, *step.arguments]
            return subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, timeout=seconds).returncode
        except subprocess.TimeoutExpired:
            return STOPPED


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * args.minutes
    failed = False
    for step in steps(out):
        started = time.monotonic()
        code = run(step, out, max(1.0, (end - started) * step.share))
        ended = {0: "done", NO_TEST_CHOSEN: "no such test", STOPPED: "stopped, no time left"}.get(
            code, f"failed ({code})"
        )
        failed |= code not in (0, NO_TEST_CHOSEN)
        print(f"{step.name}: {ended}, {time.monotonic() - started:.0f} s, {out / step.name}.log", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
