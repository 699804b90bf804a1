"""Frames of sizes that encoders fail on: they are written whole, or refused before anything is encoded."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch

from tests.support.media import Media, make, picture
from tests.support.paths import ROOT
from vfe.options import CodecName
from vfe.types import VFEError
from vfe.video.chunk import PictureChunks
from vfe.video.colour import BT709, FULL
from vfe.video.pixels import FrameFormat
from vfe.video.probe import probe
from vfe.video.read import Frame
from vfe.video.write import SinkConfig, open_sink

ENCODED = """
import sys
from pathlib import Path
import torch
from vfe.video.probe import probe
from vfe.video.read import Frame
from vfe.video.write import SinkConfig, open_sink

codec, path = sys.argv[1], Path(sys.argv[2])
info = probe(sys.argv[3])
for text in sys.argv[4:]:
    width, height = map(int, text.split("x"))
    print(text, flush=True)
    with open_sink(path, info, (width, height), SinkConfig(codec=codec, overwrite=True)) as sink:
        for _ in range(3):
            sink.write(Frame(torch.rand(3, height, width) * 2 - 1))
    assert probe(path).frames in (3, None)
print("all written")
"""
SIDES: dict[CodecName, tuple[int, ...]] = {
    "h264": (1, 2, 17, 49),
    "h265": (16, 34, 48, 49),
    "prores": (1, 17, 49),
    "ffv1": (1, 2, 9, 49),
}
CHECKED = {"LD_PRELOAD": "libc_malloc_debug.so.0", "MALLOC_CHECK_": "3"} if sys.platform == "linux" else {}
"""Makes the GNU C library end a process that wrote where it must not, which would else be seen by chance."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("clip") / "clip.mkv", Media(frames=1))


@pytest.mark.slow
@pytest.mark.parametrize("codec", SIDES)
def test_small_frames_are_written(codec: CodecName, clip: Path, tmp_path: Path) -> None:
    """By a process apart: an encoder may end it."""
    sizes = [f"{width}x{height}" for width, height in product(SIDES[codec], repeat=2)]
    command = [sys.executable, "-c", ENCODED, codec, str(tmp_path / "out.mkv"), str(clip), *sizes]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | CHECKED, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1:] == ["all written"], done.stdout[-20:] + done.stderr


@pytest.mark.parametrize("size", [(15, 64), (64, 15), (1, 1)])
def test_what_h265_cannot_hold_is_refused_at_once(size: tuple[int, int], clip: Path, tmp_path: Path) -> None:
    with pytest.raises(VFEError, match="too small for h265, which takes 16x16 or more; choose another codec"):
        open_sink(tmp_path / "out.mp4", probe(clip), size, SinkConfig(codec="h265"))


def test_no_source_needs_what_h265_cannot_hold(clip: Path, tmp_path: Path) -> None:
    """H.265 is the default for deep sources alone, and of them for those that it takes."""
    deep = replace(probe(clip), codec="hevc", bit_depth=10)
    with open_sink(tmp_path / "out.mkv", deep, (34, 8)) as sink:
        sink.write(Frame(torch.zeros(3, 8, 34)))
    assert probe(tmp_path / "out.mkv").codec == "h264"


@pytest.mark.parametrize("size", [(2, 300), (300, 2)])
def test_narrow_frames_are_stored_without_loss(size: tuple[int, int], tmp_path: Path) -> None:
    chunks = PictureChunks(FrameFormat("yuv420p", BT709, FULL), size, "ffv1")
    chunks.write(tmp_path / "chunk", [picture(0, size, "yuv420p")])
    (read,) = chunks.read(tmp_path / "chunk")
    assert read.to_ndarray().tolist() == picture(0, size, "yuv420p").to_ndarray().tolist()
