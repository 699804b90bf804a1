"""Frames of which PyAV must not be asked everything: asking ends the process, so it is done in another one."""

from __future__ import annotations

import subprocess
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.support.clips import write_image
from tests.support.odd_files import png_chunk
from tests.support.paths import ROOT

READ = """
import faulthandler, sys
faulthandler.enable()
from vfe.video.probe import probe
from vfe.video.read import open_source
for _ in range(20):
    with open_source(sys.argv[1]) as source:
        print(source.info.width, source.info.height, len(list(source)))
"""
ASK = """
import av, sys
for _ in range(20):
    with av.open(sys.argv[1]) as container:
        next(container.decode(video=0)).side_data
"""


def with_profile(path: Path) -> Path:
    """A PNG with a colour profile under a name."""
    data = write_image(path).read_bytes()
    after_header = 8 + 25
    profile = png_chunk(b"iCCP", b"A profile\0\0" + zlib.compress(bytes(range(128)) * 4))
    path.write_bytes(data[:after_header] + profile + data[after_header:])
    return path


def as_video(png: Path, path: Path) -> Path:
    """The PNG as both frames of a video."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        container.start_encoding()
        for pts in range(2):
            packet = av.Packet(png.read_bytes())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, pts, pts, Fraction(1, 25)
            packet.is_keyframe = True
            container.mux(packet)
    return path


def run(script: str, path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["image", "folder", "video"])
def test_a_profile_with_a_name_is_survived(tmp_path: Path, kind: str) -> None:
    path = with_profile(tmp_path / "a.png")
    if kind == "folder":
        with_profile(tmp_path / "b.png")
        path = tmp_path
    if kind == "video":
        path = as_video(path, tmp_path / "a.mov")
    done = run(READ, path)
    count = 1 if kind == "image" else 2
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:-1] == [f"64 48 {count}"] * 20, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the code of a crash is another one there")
def test_the_crash_would_be_seen(tmp_path: Path) -> None:
    """If this fails, PyAV has mended it, and `frame.side_data` may be asked for again."""
    assert run(ASK, with_profile(tmp_path / "a.png")).returncode < 0
