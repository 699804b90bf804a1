"""Streams by UDP and SRT, and virtual cameras."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support.live_parts import SECONDS, frame, shown
from tests.support.pipes import needs_ffmpeg
from vfe.live.frame import ShownFrame
from vfe.live.outputs.output import Output
from vfe.live.outputs.stream import StreamOutput
from vfe.live.outputs.virtual_camera import VirtualCameraOutput
from vfe.types import VFEError


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def play(output: Output, count: int, step: float = 0.03, first: int = 0) -> None:
    """Show frames that were taken `step` seconds apart, as quickly as they are sent."""
    for number in range(first, first + count):
        given = frame(40 + number, taken=number * step, side=64)
        output.show(ShownFrame(given, given.picture))
        time.sleep(step)


@needs_ffmpeg
def test_ffmpeg_reads_the_stream(tmp_path: Path) -> None:
    port = free_port()
    received = tmp_path / "received.mkv"
    address = f"udp://127.0.0.1:{port}?timeout={int(SECONDS * 1e6)}"
    options = ["-fflags", "nobuffer", "-probesize", "50000", "-i", address, "-frames:v", "20", "-c:v", "ffv1"]
    command = ["ffmpeg", "-v", "error", "-y", *options, str(received)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as reader:
        output = StreamOutput(f"udp://127.0.0.1:{port}")
        first = 0
        while reader.poll() is None and first < 2000:
            play(output, 10, first=first)
            first += 10
        output.close()
        assert reader.wait(SECONDS) == 0, reader.stderr and reader.stderr.read()
    with av.open(str(received)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 20
    levels = [float(one.to_ndarray(format="rgb24").mean()) for one in frames]
    times = [one.time for one in frames]
    assert times == sorted(times)
    assert np.diff(times).min() > 0.02, "as far apart as they were filmed"
    rising = np.diff(levels)
    assert (rising[np.abs(rising) < 100] >= 0).all(), "in order, but for where the level starts anew"
    assert np.ptp(levels) > 10


def test_frames_of_odd_and_changing_sizes_are_sent() -> None:
    output = StreamOutput(f"udp://127.0.0.1:{free_port()}")
    for number, side in enumerate((65, 65, 33, 65)):
        output.show(shown(number, side))
        time.sleep(0.05)
    output.close()


def test_who_does_not_listen_gives_one_line() -> None:
    output = StreamOutput(f"srt://127.0.0.1:{free_port()}?connect_timeout=100")
    with pytest.raises(VFEError, match=r"srt://127\.0\.0\.1:\d+\S*: cannot be sent to") as caught:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            output.show(shown(0))
            time.sleep(0.05)
    assert "\n" not in str(caught.value)


class StandInCamera:
    """What pyvirtualcam gives."""

    device = "/dev/video9"

    def __init__(self, **asked: Any) -> None:  # noqa: ANN401
        self.asked, self.is_open = asked, True
        self.sent: list[tuple[int, ...]] = []
        type(self).last = self

    last: StandInCamera

    def send(self, picture: Any) -> None:  # noqa: ANN401
        self.sent.append(picture.shape)

    def close(self) -> None:
        self.is_open = False


def use(monkeypatch: pytest.MonkeyPatch, camera: object) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", types.SimpleNamespace(Camera=camera))


def test_a_virtual_camera_gets_the_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, StandInCamera)
    output = VirtualCameraOutput("/dev/video9")
    for number, side in enumerate((64, 64, 32)):
        output.show(shown(number, side))
        time.sleep(0.05)
    output.close()
    camera = StandInCamera.last
    assert camera.asked == {"width": 64, "height": 64, "fps": 30, "device": "/dev/video9"}
    assert set(camera.sent) == {(64, 64, 3)}, "a camera keeps its size"
    assert not camera.is_open
    assert output.where == "virtual camera /dev/video9"


def test_no_driver_gives_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise RuntimeError("'v4l2loopback' backend: No v4l2 loopback device found\nat /dev/video[0-99].\n")

    use(monkeypatch, refuse)
    output = VirtualCameraOutput()
    with pytest.raises(
        VFEError, match=r"no virtual camera can be opened \('v4l2loopback' backend: .*OBS on macOS"
    ) as caught:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            output.show(shown(0))
            time.sleep(0.01)
    assert "\n" not in str(caught.value)


def test_without_pyvirtualcam_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(VFEError, match="pip install pyvirtualcam"):
        VirtualCameraOutput()


def test_the_real_pyvirtualcam_takes_what_is_asked() -> None:
    pyvirtualcam = pytest.importorskip("pyvirtualcam", reason="pyvirtualcam is not installed")
    import inspect

    named = inspect.signature(pyvirtualcam.Camera.__init__).parameters
    assert {"width", "height", "fps", "device"} <= set(named)
    assert callable(pyvirtualcam.Camera.send)
