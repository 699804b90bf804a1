"""Running the command line in a test: in this process with a stand-in model, or as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from tests.support.paths import ROOT
from vfe.cli import main

BRIGHTER = 0.1


class BrightenPipeline:
    """Stands in for a model: reads ahead as a window does and adds a constant times the strength."""

    window = 5

    def stream(self, frames: Iterable[Tensor], *, strength: float = 1.0, **_: object) -> Iterator[Tensor]:
        held: deque[Tensor] = deque()
        for frame in frames:
            assert frame.dtype == torch.float32
            assert frame.shape[0] == 3
            assert frame.abs().max() <= 1
            held.append(frame)
            if len(held) == self.window:
                yield held.popleft() + strength * BRIGHTER
        while held:
            yield held.popleft() + strength * BRIGHTER


class Run(NamedTuple):
    """What a run of `vfe` gave."""

    code: int
    out: str
    err: str


def use_stand_in(monkeypatch: pytest.MonkeyPatch, folder: Path, pipeline: object | None = None) -> str:
    """Make every model file load as a stand-in; returns the path of an (empty) one for --model."""
    monkeypatch.setattr("vfe.restore.restorer.load_pipeline", lambda *_: pipeline or BrightenPipeline())
    path = folder / "stand_in.safetensors"
    path.touch()
    return str(path)


def run_vfe(capsys: pytest.CaptureFixture[str], *argv: object) -> Run:
    """`vfe argv...` in this process."""
    capsys.readouterr()
    try:
        code = main([str(arg) for arg in argv])
    except SystemExit as leave:  # argparse: usage errors, --help, --version
        code = int(leave.code or 0)
    return Run(code, *capsys.readouterr())


def run_python(*argv: object, cwd: Path = ROOT, timeout: float = 300) -> Run:
    """`python argv...` in a process of its own, with this repository's vfe."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, argv)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def assert_one_line_error(run: Run, *parts: str, code: int = 1) -> None:
    """The run failed with this code and one line on stderr, which holds the parts."""
    assert run.code == code, run
    lines = [line for line in run.err.splitlines() if line]
    assert len(lines) == 1, run.err
    assert lines[0].startswith("vfe: error: "), run.err
    for part in parts:
        assert part in lines[0], lines[0]
