"""`vfe live`: from a file that is played into a page and a stream, and all that ends in one line."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.support.cli_run import assert_one_line_error, run_vfe
from tests.support.clips import Clip, write_clip
from tests.support.paths import ROOT
from vfe.live import cameras
from vfe.live.cameras import Camera

SECONDS = 120.0
"""More than any of these takes on a busy machine."""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", Clip(frames=20, width=64, height=64))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


LISTENING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from vfe.cli import main
sys.exit(main())
"""
"""The command, which hears Ctrl-C even where a shell's background jobs inherit that it is ignored."""


def start(*arguments: object) -> subprocess.Popen[str]:
    """`vfe live` as a process."""
    command = [sys.executable, "-c", LISTENING, "live", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_no_camera_gives_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cameras, "LINUX_CAMERAS", tmp_path)
    monkeypatch.setattr("vfe.live.cameras.FORMATS", {sys.platform: "v4l2"})
    assert_one_line_error(run_vfe(capsys, "live"), "no camera on this machine")
    assert_one_line_error(run_vfe(capsys, "live", "camera:front"), "no camera 'front'")
    assert run_vfe(capsys, "live", "--list").out == "no camera on this machine\n"


def test_cameras_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Camera("/dev/video0", "Integrated Camera", "v4l2"), Camera("/dev/video2", "USB", "v4l2")]
    monkeypatch.setattr("vfe.cli.live.list_cameras", lambda: found)
    assert run_vfe(capsys, "live", "--list").out == "0  Integrated Camera  (/dev/video0)\n1  USB  (/dev/video2)\n"


def test_a_file_that_is_missing_gives_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_vfe(capsys, "live", tmp_path / "missing.mp4", "-o", f"http://127.0.0.1:{free_port()}")
    assert_one_line_error(run, "missing.mp4: cannot be opened")


def test_a_port_in_use_gives_one_line(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = run_vfe(capsys, "live", clip, "-o", f"http://127.0.0.1:{port}")
    assert_one_line_error(run, f"http://127.0.0.1:{port}: cannot be served", "choose another port")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["clip.mp4", "--size", "640x480"], "--size and --fps are of cameras"),
        (["udp://127.0.0.1:5", "--loop"], "--loop is of files"),
        (["clip.mp4", "-o", "restored.mp4"], "is no output"),
        (["clip.mp4", "--most-faces", "0"], "needed is 1 to 32"),
        (["clip.mp4", "--strength", "2"], "needed is a number from 0 to 1"),
    ],
)
def test_wrong_usage_gives_one_line(arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_line_error(run_vfe(capsys, "live", *arguments), part, code=2)


def test_an_unknown_model_gives_one_line(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_line_error(run_vfe(capsys, "live", clip, "--model", "nothing"), "nothing")


@pytest.mark.slow
def test_a_file_played_to_its_end(clip: Path) -> None:
    """Every frame is accounted for, in JSON too."""
    with start(clip, "-o", f"http://127.0.0.1:{free_port()}", "--progress", "json") as run:
        out, err = run.communicate(timeout=SECONDS)
    assert run.returncode == 0, err
    assert out.startswith("live: http://127.0.0.1:")
    assert " of 20 frames in " in out
    records = [json.loads(line) for line in err.splitlines()]
    for record in records:
        assert record["stage"] == "live"
        assert record["frames_out"] + record["frames_dropped"] <= record["frames_in"] <= 20
        assert record["outputs"][0]["where"].startswith("http://127.0.0.1:")


@pytest.mark.slow
def test_ctrl_c_ends_a_run_that_is_looked_at(clip: Path) -> None:
    port = free_port()
    with start(clip, "--loop", "-o", f"http://127.0.0.1:{port}", "-o", "udp://127.0.0.1:9") as run:
        deadline = time.monotonic() + SECONDS
        figures: dict[str, float] = {}
        while not figures.get("frames_out") and time.monotonic() < deadline:
            time.sleep(0.2)
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/figures.json", timeout=5) as answer:
                    figures = json.load(answer)
            except OSError:
                continue
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/after.jpg", timeout=SECONDS) as answer:
            assert answer.read().startswith(b"\xff\xd8")
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=SECONDS)
    assert run.returncode == 130, err
    assert err.splitlines()[-1] == "vfe: interrupted"
