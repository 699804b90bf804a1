"""The command for a GPU that one has for minutes keeps to its time and tells what failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu
from benchmarks.gpu import NO_TEST_CHOSEN, STOPPED, Step, main, run, steps


def test_a_step_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    assert run(Step("slow", ("-c", "import time; time.sleep(60)"), 1.0), tmp_path, 0.5) == STOPPED
    assert run(Step("quick", ("-c", "print('here')"), 1.0), tmp_path, 20) == 0
    assert (tmp_path / "quick.log").read_text() == "here\n"


def test_failures_decide_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def exits(code: int) -> Step:
        return Step(f"step{code}", ("-c", f"raise SystemExit({code})"), 1.0)

    monkeypatch.setattr(gpu, "steps", lambda out: [exits(0), exits(NO_TEST_CHOSEN)])  # noqa: ARG005
    assert main(["--out", str(tmp_path)]) == 0
    monkeypatch.setattr(gpu, "steps", lambda out: [exits(0), exits(1)])  # noqa: ARG005
    assert main(["--out", str(tmp_path)]) == 1
    assert "step5: no such test" in capsys.readouterr().out


def test_its_tests_are_found_without_a_conftest() -> None:
    """As it calls them, but only listed."""
    named = next(step for step in steps(Path()) if step.name == "kernels")
    command = [sys.executable, *named.arguments, "--collect-only"]
    listed = subprocess.run(command, capture_output=True, text=True, cwd=gpu.ROOT)
    assert listed.returncode == 0, listed.stdout[-500:]
    assert "test_fp8.py" in listed.stdout, listed.stdout[-500:]
