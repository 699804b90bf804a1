"""`vfe enhance` between other programs: Y4M in and out of a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.support.cli_run import assert_one_line_error, run_vfe
from tests.support.paths import ROOT
from tests.support.slow_model import SLOW_MODEL
from vfe.types import VFEError
from vfe.video.pipe.streams import PIPE, check_pipes

FRAME = b"FRAME\n" + bytes(range(128)) * 36
HEADER = b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420mpeg2 XYSCSS=420MPEG2 XCOLORRANGE=LIMITED\n"
PATIENCE = 300.0  # seconds
STAND_IN = SLOW_MODEL.format(pause=0).replace('print("working", flush=True)', "pass")


@contextmanager
def started(folder: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """`vfe enhance arguments...` with a stand-in model, between three pipes; killed where it hangs."""
    (folder / "m.safetensors").touch()
    command = [sys.executable, "-c", STAND_IN, "enhance", *arguments, "--model", folder / "m.safetensors"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # communicate() would not see what a buffer here read ahead
    ) as process:
        watch = threading.Timer(PATIENCE, process.kill)
        watch.start()
        yield process
        watch.cancel()


def begun(process: subprocess.Popen[bytes]) -> IO[bytes]:
    """Send a header and two frames to a process, and return its standard output."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(HEADER + FRAME * 2)
    process.stdin.flush()
    return process.stdout


@pytest.mark.slow
def test_frames_come_out_before_the_last_one_went_in(tmp_path: Path) -> None:
    with started(tmp_path, "-", "-o", "-") as process:
        stdout = begun(process)
        assert stdout.readline() == HEADER  # while the other side still waits for more
        missing = len(FRAME)
        while missing:
            part = stdout.read(missing)
            assert part, "it ended before its input did"
            missing -= len(part)
        rest, err = process.communicate(FRAME * 3)
    assert process.returncode == 0, err
    assert len(rest) == 4 * len(FRAME)
    assert err.startswith(b"5 frames in ")
    assert err.rstrip().endswith(b": standard output")


@pytest.mark.slow
def test_the_bundled_model_reads_a_pipe_twice_and_says_so(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    outputs = []
    (tmp_path / "in.y4m").write_bytes(HEADER + FRAME * 6)
    for source in ("-", str(tmp_path / "in.y4m")):
        command = [sys.executable, "-m", "vfe", "enhance", source, "-o", "-", "--device", "cpu"]
        run = subprocess.run(
            command, cwd=ROOT, env=environment, input=HEADER + FRAME * 6, capture_output=True, check=True
        )
        outputs.append(run.stdout)
        said = run.stderr.decode()
        assert ("note: faces are looked for in all of standard input" in said) == (source == "-")
        assert ("kept for a second pass: 0.0 MB in" in said) == (source == "-")
    assert outputs[0] == outputs[1]
    assert outputs[0].startswith(HEADER)
    assert {path.name for path in tmp_path.iterdir()} == {"in.y4m"}


@pytest.mark.slow
def test_a_reader_that_leaves_is_one_line(tmp_path: Path) -> None:
    with started(tmp_path, "-", "-o", "-") as process:
        stdout = begun(process)
        stdout.read(100)
        stdout.close()
        process.stdout = None
        _, err = process.communicate(FRAME * 9)
    assert process.returncode == 1
    lines = err.decode().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("vfe: error: standard output was closed by the program that reads it, after ")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals")
def test_interruption_while_waiting_for_a_pipe(tmp_path: Path) -> None:
    with started(tmp_path, "-", "-o", tmp_path / "out.mp4") as process:
        begun(process)
        while not list(tmp_path.glob(".out.vfe-*")):  # it has begun, and waits for the third frame
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b"vfe: interrupted\n"
    assert {path.name for path in tmp_path.iterdir()} == {"m.safetensors"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudoterminals")
@pytest.mark.parametrize(("stream", "name"), [("stdin", "standard input"), ("stdout", "standard output")])
def test_terminals_carry_no_video(stream: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    ours, theirs = os.openpty()
    with (tmp_path / "file").open("r+") as file, os.fdopen(theirs, "r+b", buffering=0) as terminal:
        monkeypatch.setattr("sys.stdin", file)
        monkeypatch.setattr("sys.stdout", file)
        check_pipes(PIPE, PIPE)
        monkeypatch.setattr(f"sys.{stream}", terminal)
        with pytest.raises(VFEError, match=f"{name} is a terminal, which carries no video; pipe .* the name of a file"):
            check_pipes(PIPE, PIPE)
        monkeypatch.setattr(f"sys.{stream}", None)
        with pytest.raises(VFEError, match=f"{name} is closed"):
            check_pipes(PIPE, PIPE)
        check_pipes(tmp_path / "a.mp4", tmp_path / "b.mp4")
    os.close(ours)


def test_a_terminal_is_refused_before_the_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert_one_line_error(run_vfe(capsys, "enhance", "-", "-o", "a.mp4", "--model", "lite"), "standard input is closed")


def test_other_commands_take_no_pipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ("faces", "-", "-o", tmp_path / "who.png"),
        ("compare", "-", "-", "-o", tmp_path / "both.mp4"),
        ("info", "-"),
    ):
        assert_one_line_error(run_vfe(capsys, *arguments), "-: a pipe cannot stand here; give the name of a file")
