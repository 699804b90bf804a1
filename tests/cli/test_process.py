"""`vfe` as a process: what is imported when, interruption, a full disk, no terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.cli_run import assert_one_line_error, run_python
from tests.support.clips import Clip, write_clip
from tests.support.paths import ROOT
from tests.support.slow_model import SLOW_MODEL

pytestmark = pytest.mark.slow

NO_TORCH = """
import sys
from vfe.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as leave:
    code = leave.code
heavy = sorted({"torch", "numpy", "safetensors"} & sys.modules.keys())
sys.exit(f"imported {heavy}" if heavy else code)
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--help",), 0),
        (("enhance", "--help"), 0),
        (("--version",), 0),
        ((), 2),
        (("enhance",), 2),
        (("segment", "job", "x"), 2),
        (("enhance", "a.mp4", "-o", "b.mp4", "--strength", "7"), 2),
        (("enhance", "a.mp4", "-o", "b.mp4", "--size", "big"), 2),
    ],
)
def test_help_and_usage_errors_do_not_import_torch(arguments: tuple[str, ...], code: int) -> None:
    run = run_python("-c", NO_TORCH, *arguments)
    assert run.code == code, run.err
    assert (run.out if code == 0 else run.err).count("Traceback") == 0


def test_python_m_vfe() -> None:
    run = run_python("-m", "vfe", "--version")
    assert run.code == 0
    assert run.out.startswith("vfe ")
    assert_one_line_error(run_python("-m", "vfe", "info", "no such file.mp4"), "no such file.mp4")


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_interruption_leaves_nothing(name: str, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=50))
    (tmp_path / "m.safetensors").touch()
    before = {path.name for path in tmp_path.iterdir()}
    command = [sys.executable, "-c", SLOW_MODEL.format(pause=0.1), "enhance", clip, "-o", tmp_path / "out.mp4"]
    command += ["--model", tmp_path / "m.safetensors", "--compare", tmp_path / "both.mp4"]
    with subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(3):
            assert process.stdout.readline() == "working\n"
        for _ in range(2):  # people press Ctrl-C twice
            process.send_signal(getattr(signal, name))
            time.sleep(0.02)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.endswith("vfe: interrupted\n")
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on file sizes")
def test_full_disk(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=40, width=128, height=128))
    (tmp_path / "m.safetensors").touch()
    before = {path.name for path in tmp_path.iterdir()}
    limit = "import resource, signal; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
    limit += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    script = limit + SLOW_MODEL.format(pause=0).replace('print("working", flush=True)', "pass")
    run = run_python(
        *("-c", script, "enhance", clip, "-o", tmp_path / "out.mkv", "--codec", "ffv1"),
        *("--model", tmp_path / "m.safetensors"),
    )
    assert_one_line_error(run, "disk full", "free some space")
    assert {path.name for path in tmp_path.iterdir()} == before
