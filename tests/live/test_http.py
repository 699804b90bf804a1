"""The web server of a live run: what it shows, to whom, and that nobody makes it wait."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.live_parts import SECONDS, shown
from tests.support.pipes import needs_ffmpeg
from vfe.live.frame import ShownFrame
from vfe.live.outputs.address import Address
from vfe.live.outputs.http import HttpOutput
from vfe.live.outputs.views import MOST_READERS
from vfe.types import VFEError


@pytest.fixture
def output() -> Iterator[HttpOutput]:
    """A server on a port of its own."""
    made = HttpOutput("127.0.0.1", 0, lambda: {"delay_ms": 12.5})
    yield made
    made.close()


def get(output: HttpOutput, path: str, **headers: str) -> tuple[bytes, dict[str, str]]:
    request = urllib.request.Request(output.where.rstrip("/") + path, headers=headers)
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return answer.read(), dict(answer.headers)


class Player:
    """Shows frame after frame, quickly, until the test is over."""

    def __init__(self, output: HttpOutput, side: int = 16, is_large: bool = False) -> None:
        """Large pictures are noise, of about 60 KB."""
        self.output, self.side, self.count = output, side, 0
        self.noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8) if is_large else None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Player:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(SECONDS)

    def _run(self) -> None:
        while not self._over.wait(0.005):
            one = shown(self.count, self.side)
            self.output.show(one if self.noise is None else ShownFrame(one.frame, self.noise))
            self.count += 1


def decoded(jpeg: bytes) -> np.ndarray:
    with av.open(BytesIO(jpeg), format="mjpeg") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def connect(output: HttpOutput, path: str, receive: int = 1 << 16) -> socket.socket:
    """A reader that has asked for something."""
    port = int(output.where.rstrip("/").rpartition(":")[2])
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    reader.settimeout(SECONDS)
    reader.connect(("127.0.0.1", port))
    reader.sendall(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return reader


def read_numbers(reader: socket.socket, count: int) -> list[int]:
    """The numbers of the next frames in a stream, 64 KB at least each time."""
    data = b""
    while len(numbers := re.findall(rb"X-Frame: (\d+)", data)) < count:
        data += reader.recv(1 << 16) or pytest.fail("the stream ended")
    return [int(number) for number in numbers]


def test_the_page_and_the_figures(output: HttpOutput) -> None:
    page, headers = get(output, "/")
    assert b"<title>VFE live</title>" in page
    assert headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    figures, headers = get(output, "/figures.json")
    assert json.loads(figures) == {"delay_ms": 12.5}
    assert headers["Cache-Control"] == "no-store"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(output, "/../secret")


@pytest.mark.parametrize(("view", "brighter"), [("before", 0), ("after", 1)])
def test_a_picture_of_a_view(output: HttpOutput, view: str, brighter: int) -> None:
    with Player(output):
        jpeg, headers = get(output, f"/{view}.jpg")
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    level = int(headers["X-Frame"]) % 256 + brighter
    assert abs(decoded(jpeg).astype(int) - level).max() <= 3
    assert 0 <= time.monotonic() - float(headers["X-Taken"]) < SECONDS


@needs_ffmpeg
def test_the_stream_is_one_for_ffmpeg(output: HttpOutput, tmp_path: Path) -> None:
    with Player(output, side=64):
        address = output.where + "after.mjpg"
        command = ["ffmpeg", "-v", "error", "-f", "mpjpeg", "-i", address, "-frames:v", "5", f"{tmp_path}/%d.png"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    levels = [decoded_png(tmp_path / f"{number}.png") for number in range(1, 6)]
    assert levels == sorted(levels)
    assert levels[0] < levels[-1]


def decoded_png(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(next(container.decode(video=0)).to_ndarray(format="rgb24").mean())


def test_frames_of_a_stream_come_in_order(output: HttpOutput) -> None:
    with Player(output), connect(output, "/split.mjpg") as reader:
        numbers = read_numbers(reader, 20)
    assert numbers == sorted(set(numbers))


def test_a_reader_that_takes_nothing_stalls_nobody(output: HttpOutput) -> None:
    """Neither the run nor other readers; and when it reads on it sees the present, after what the system kept."""
    with connect(output, "/after.mjpg", receive=4096) as sleeper, Player(output, is_large=True) as player:
        with connect(output, "/after.mjpg") as reader:
            numbers = read_numbers(reader, 60)
            assert player.count >= numbers[-1]
        assert numbers == sorted(set(numbers))
        late = read_numbers(sleeper, 12)
        assert late == sorted(set(late))
        assert late[-1] > numbers[-1]
        assert max(np.diff(late)) > 20, "frames were left out"


def test_who_has_gone_is_forgotten(output: HttpOutput) -> None:
    with Player(output):
        for _ in range(MOST_READERS + 4):
            with connect(output, "/after.mjpg") as reader:
                read_numbers(reader, 1)
            deadline = time.monotonic() + SECONDS
            while any(output._views._readers.values()) and time.monotonic() < deadline:
                time.sleep(0.01)
        assert not any(output._views._readers.values())


def test_too_many_readers_are_told_to_come_later(output: HttpOutput) -> None:
    readers = [connect(output, "/after.mjpg") for _ in range(MOST_READERS)]
    with Player(output):
        for reader in readers:
            read_numbers(reader, 1)
        with pytest.raises(urllib.error.HTTPError, match="503"):
            get(output, "/after.mjpg")
    for reader in readers:
        reader.close()


def test_nothing_is_encoded_that_nobody_looks_at(output: HttpOutput) -> None:
    with Player(output) as player:
        while player.count < 5:
            time.sleep(0.01)
    assert not output._views._newest


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "192.168.0.9:8090", ""])
def test_other_web_pages_cannot_read_it_under_their_name(output: HttpOutput, host: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        get(output, "/figures.json", Host=host)


@pytest.mark.parametrize("host", ["localhost", "localhost:8090", "127.0.0.1:1", "[::1]:8090"])
def test_this_machine_can(output: HttpOutput, host: str) -> None:
    assert get(output, "/figures.json", Host=host)[0]


def test_it_is_on_loopback_unless_asked() -> None:
    assert Address.parse("http").host == "127.0.0.1"
    output = HttpOutput(Address.parse("http").host, 0, dict)
    assert not output.is_open_to_others
    output.close()
    output = HttpOutput("0.0.0.0", 0, dict)
    assert output.is_open_to_others
    output.close()


def test_a_port_in_use_gives_one_line(output: HttpOutput) -> None:
    port = int(output.where.rstrip("/").rpartition(":")[2])
    with pytest.raises(VFEError, match=f"127.0.0.1:{port}: cannot be served") as caught:
        HttpOutput("127.0.0.1", port, dict)
    assert f"-o http://127.0.0.1:{port + 1}" in str(caught.value)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.name.invalid"])
def test_an_address_of_another_machine_gives_one_line(host: str) -> None:
    with pytest.raises(VFEError, match="cannot be served"):
        HttpOutput(host, 0, dict)


def test_readers_are_let_go_at_the_end() -> None:
    output = HttpOutput("127.0.0.1", 0, dict)
    reader = connect(output, "/after.mjpg")
    with Player(output):
        read_numbers(reader, 1)
    output.close()
    while reader.recv(1 << 16):
        pass
    reader.close()
    HttpOutput("127.0.0.1", int(output.where.rstrip("/").rpartition(":")[2]), dict).close()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http", Address("http", "127.0.0.1", 8090)),
        ("http://0.0.0.0:9000", Address("http", "0.0.0.0", 9000)),
        ("http://localhost", Address("http", "localhost", 8090)),
        ("udp://127.0.0.1:5000", Address("stream", "127.0.0.1", 5000, "udp://127.0.0.1:5000")),
        ("srt://h:5000?latency=20", Address("stream", "h", 5000, "srt://h:5000?latency=20")),
        ("virtual", Address("virtual")),
        ("virtual:/dev/video4", Address("virtual", name="/dev/video4")),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert Address.parse(text) == address


@pytest.mark.parametrize("text", ["", "file.mp4", "udp://127.0.0.1", "http://h:99999", "http://h/path", "rtmp://h:1"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"no output|out of range|needed is"):
        Address.parse(text)
