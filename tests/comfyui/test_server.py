"""The pack in a real ComfyUI server: its nodes, their cost at the start, and what "Compare Videos" tells the page."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import av
import numpy as np
import numpy.typing as npt
import pytest

from tests.support.clips import Clip, read_pixels, write_audio, write_clip
from tests.support.comfy_checkout import comfyui_checkout
from tests.support.comfy_server import PACK, ComfyServer, Graph, RefusedPrompt
from tests.support.paths import ROOT

NODES = {
    "VFE_LoadWanRestorer",
    "VFE_FaceMask",
    "VFE_FaceCrop",
    "VFE_FacePaste",
    "VFE_RestoreFaces",
    "VFE_DualCodebookPrior",
    "VFE_OneStepEnhance",
    "VFE_VAEDecodeTiled",
    "VFE_EnhanceFaceVideo",
    "VFE_EnhanceFaceImage",
    "VFE_EnhanceFolder",
    "VFE_CompareVideos",
}
MOST_START_SECONDS = 0.3


def compare_graph(file: str, *, images: bool = False) -> Graph:
    """A video beside itself, as VIDEO or, on the right, as IMAGE upside down."""
    graph: Graph = {
        "1": {"class_type": "LoadVideo", "inputs": {"file": file}},
        "2": {"class_type": "VFE_CompareVideos", "inputs": {"before": ["1", 0], "after": ["1", 0], "frame_rate": 10.0}},
    }
    if images:
        graph["3"] = {"class_type": "GetVideoComponents", "inputs": {"video": ["1", 0]}}
        graph["4"] = {"class_type": "ImageInvert", "inputs": {"image": ["3", 0]}}
        graph["2"]["inputs"]["after"] = ["4", 0]
    return graph


def fetch(server: ComfyServer, side: dict[str, Any], folder: Path) -> Path:
    """One side of a comparison, as the page gets it."""
    query = urlencode({key: side[key] for key in ("filename", "subfolder", "type")})
    path = folder / side["filename"]
    with urllib.request.urlopen(f"{server.url}/view?{query}", timeout=60) as answer:
        path.write_bytes(answer.read())
    return path


def sides(server: ComfyServer, graph: Graph) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the node told the page about both sides."""
    run = server.run(graph)
    assert run.status == "success", run.error
    (pair,) = run.outputs["2"]["vfe_compare"]
    return pair["before"], pair["after"]


def mean_difference(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    """In code values."""
    assert a.shape == b.shape
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


def test_every_node_is_there_and_explains_itself(comfy_server: ComfyServer) -> None:
    nodes = {name: node for name, node in comfy_server.get("/object_info").items() if name.startswith("VFE_")}
    assert nodes.keys() == NODES
    for name, node in nodes.items():
        assert node["category"] == "Video Face Enhancement", name
        assert node["python_module"] == f"custom_nodes.{PACK}"
        assert len(node["description"]) > 20, name
        for kind in ("required", "optional"):
            for field, (_, options) in node["input"].get(kind, {}).items():
                assert options.get("tooltip"), f"{name}.{field}"
        assert len(node["output_tooltips"] or []) == len(node["output"]), name
        assert all(node["output_tooltips"] or []), name


def test_detections_come_in_by_a_link_alone(comfy_server: ComfyServer) -> None:
    """Newer ComfyUI has a widget for such boxes, which always gives one."""
    kind, options = comfy_server.get("/object_info")["VFE_FaceMask"]["input"]["optional"]["detections"]
    assert kind == "BOUNDING_BOX"
    assert options["forceInput"] is True
    assert "default" not in options


@pytest.mark.comfy
def test_the_pack_adds_less_than_0_3_seconds_to_the_start() -> None:
    """Even the first time, when Python compiles it. What ComfyUI imports for the first pack of any is not ours."""
    code = (
        "import asyncio, sys, time; import comfy.options; comfy.options.enable_args_parsing(); "
        "sys.argv = ['main.py', '--cpu']; import nodes, comfy_api.latest, comfy_config.config_parser; "
        "start = time.process_time(); "
        f"assert asyncio.run(nodes.load_custom_node({str(ROOT)!r})); "
        "print(time.process_time() - start)"
    )
    run = subprocess.run([sys.executable, "-B", "-c", code], cwd=comfyui_checkout(), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert float(run.stdout.split()[-1]) < MOST_START_SECONDS


def test_a_video_that_browsers_play_is_shown_as_it_is(comfy_server: ComfyServer, tmp_path: Path) -> None:
    source = write_clip(comfy_server.base / "input" / "plays.mp4", Clip(frames=7))
    before, after = sides(comfy_server, compare_graph(source.name))
    assert before == after
    assert (before["frames"], before["width"], before["height"], before["rate"]) == (7, 64, 48, 25.0)
    assert fetch(comfy_server, before, tmp_path).read_bytes() == source.read_bytes()


def test_images_take_the_rate_of_the_video_beside_them(comfy_server: ComfyServer, tmp_path: Path) -> None:
    source = write_clip(comfy_server.base / "input" / "rate.mp4", Clip(frames=7))
    _, after = sides(comfy_server, compare_graph(source.name, images=True))
    assert (after["frames"], after["rate"], after["type"]) == (7, 25.0, "temp")
    shown = read_pixels(fetch(comfy_server, after, tmp_path))
    assert mean_difference(shown, 255 - read_pixels(source)) < 4


@pytest.mark.parametrize(
    "clip",
    [
        Clip(frames=5, codec="ffv1", pix_fmt="yuv420p10le", audio=True),
        Clip(frames=5, width=63, height=47, codec="ffv1", pix_fmt="yuv444p"),
    ],
    ids=["ten-bit-with-sound", "odd-sides"],
)
def test_other_videos_are_converted(comfy_server: ComfyServer, tmp_path: Path, clip: Clip) -> None:
    source = write_clip(comfy_server.base / "input" / f"other_{clip.width}.mkv", clip)
    before, _ = sides(comfy_server, compare_graph(source.name))
    shown = fetch(comfy_server, before, tmp_path)
    with av.open(str(shown)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert len(container.streams.audio) == clip.audio
    pixels = read_pixels(shown)
    assert len(pixels) == clip.frames
    assert mean_difference(pixels[:, : clip.height, : clip.width], read_pixels(source)) < 5


def test_a_file_without_a_picture_is_refused_with_a_sentence(comfy_server: ComfyServer) -> None:
    write_audio(comfy_server.base / "input" / "sound.mp4")
    run = comfy_server.run(compare_graph("sound.mp4"))
    assert run.status == "error"
    assert "only audio; needed is a file with a video stream" in run.error
    (told,) = run.all_of("execution_error")
    assert told["exception_type"] == "ValueError"  # what ComfyUI shows beside it: no path of modules


def test_a_missing_side_is_refused_before_the_run(comfy_server: ComfyServer) -> None:
    graph = compare_graph("plays.mp4")
    del graph["2"]["inputs"]["after"]
    with pytest.raises(RefusedPrompt, match="Required input is missing"):
        comfy_server.run(graph)
