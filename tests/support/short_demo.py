"""A small part of the demo clip in the place of the whole one, so that templates run in seconds."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from tests.support.comfy_server import ComfyServer
from tests.support.paths import ROOT

DEMO = ROOT / "web" / "demo" / "vfe_demo.mp4"
FRAMES, SIDE = 9, 192


@pytest.fixture
def short_demo(comfy_server: ComfyServer) -> Path:
    """The beginning of the demo clip, small, under its name: the page leaves a file that is there."""
    path = comfy_server.base / "input" / DEMO.name
    with av.open(str(DEMO)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "18"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for _, frame in zip(range(FRAMES), source.decode(video=0), strict=False):
            small = frame.reformat(SIDE, SIDE, "yuv420p").to_ndarray()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(small, format="yuv420p")))
        container.mux(stream.encode(None))
    return path
