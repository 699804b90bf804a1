"""Runs of the lite template in a real server, on a real clip: its result, cancelling, memory, wrong inputs."""

from __future__ import annotations

import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest

from tests.support.clips import read_pixels, write_audio
from tests.support.comfy_server import ComfyServer, Graph, RefusedPrompt
from tests.support.comfy_workflow import LITE, id_of, node_of, read_workflow, saved, to_prompt
from tests.support.node_dtype import dtype_of_nodes
from tests.support.paths import ROOT

CLIPS = ROOT.parent / "shared" / "data" / "dev" / "hq_video"
SIDE, FRAMES = 128, 20
LONG_FRAMES = 400  # more than can be restored before the run is cancelled
MOST_SECONDS_TO_CANCEL = 1.0
MOST_GROWTH = 20 << 20  # bytes that seven more runs may add to a process of a gigabyte


@pytest.fixture(scope="module")
def clip(comfy_server: ComfyServer) -> Path:
    """The beginning of a real clip, small, among the inputs."""
    return write_part(comfy_server.base / "input" / "real.mp4", FRAMES)


def write_part(path: Path, frames: int) -> Path:
    """A small version of a real clip, from the start again when it is over."""
    found = sorted(CLIPS.glob("*.mp4"))
    if not found:
        pytest.skip(f"no real clip: {CLIPS} holds none")
    with av.open(str(found[0])) as source, av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "20"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        read = [frame.reformat(SIDE, SIDE, "yuv420p") for _, frame in zip(range(100), source.decode(video=0))]  # noqa: B905
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(read[index % len(read)].to_ndarray(), format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def lite(server: ComfyServer, file: str, **changes: Any) -> Graph:  # noqa: ANN401
    """The template's prompt for another clip, with other values of Enhance Face Video."""
    graph = to_prompt(read_workflow(LITE), server.get("/object_info"))
    node_of(graph, "LoadVideo")["inputs"]["file"] = file
    node_of(graph, "VFE_EnhanceFaceVideo")["inputs"].update({"region": "frame", **changes})
    return graph


def memory(server: ComfyServer) -> int:
    """Bytes that the server has in memory."""
    return int(psutil.Process(server.pid).memory_info().rss)


def test_the_frames_are_those_of_vfe_enhance(comfy_server: ComfyServer, clip: Path, tmp_path: Path) -> None:
    graph = lite(comfy_server, clip.name)
    run = comfy_server.run(graph)
    ours = read_pixels(saved(comfy_server, graph, run))
    expected = tmp_path / "expected.mp4"
    command = [sys.executable, "-m", "vfe", "enhance", str(clip), "-o", str(expected), "--device", "cpu"]
    command += ["--dtype", dtype_of_nodes()]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    reference = read_pixels(expected)
    assert ours.shape == reference.shape == (FRAMES, SIDE, SIDE, 3)
    assert np.abs(ours.astype(int) - reference.astype(int)).max() <= 1
    assert np.abs(ours.astype(int) - read_pixels(clip).astype(int)).mean() > 0.5  # something was done
    (report,) = run.outputs[id_of(graph, "PreviewAny")]["text"]
    assert f"{FRAMES} frames in" in report
    assert run.previews
    assert all(picture[8:10] == b"\xff\xd8" for picture in run.previews)


@pytest.mark.parametrize("stage", ["executing", "progress"], ids=["at-the-start", "in-the-middle"])
def test_cancel_is_answered_within_a_second(comfy_server: ComfyServer, stage: str) -> None:
    long = write_part(comfy_server.base / "input" / "long.mp4", LONG_FRAMES)
    graph = lite(comfy_server, long.name)
    times: dict[str, tuple[float, float]] = {}
    enhance, process = id_of(graph, "VFE_EnhanceFaceVideo"), psutil.Process(comfy_server.pid)

    def now() -> tuple[float, float]:
        return time.monotonic(), process.cpu_times().user

    def watch(event: str, data: dict[str, Any]) -> None:
        if event == stage and data["node"] == enhance and not times:
            times["asked"] = now()
            comfy_server.interrupt()
        elif event == "execution_interrupted":
            times["answered"] = now()

    run = comfy_server.run(graph, watch)
    assert run.all_of("execution_interrupted")[0]["node_id"] == enhance
    # Seconds on the clock, or on the processor where others use it too.
    assert min(b - a for a, b in zip(times["asked"], times["answered"], strict=True)) < MOST_SECONDS_TO_CANCEL
    assert not list((comfy_server.base / "temp").glob(".*.mp4"))  # nothing half-written is left


def test_after_unloading_the_result_is_the_same(comfy_server: ComfyServer, clip: Path) -> None:
    results = []
    for _ in range(2):
        comfy_server.free()
        time.sleep(2)  # the server does it between runs
        graph = lite(comfy_server, clip.name, strength=0.5)
        run = comfy_server.run(graph)
        executed = {data["node"] for data in run.all_of("executing")}
        assert id_of(graph, "VFE_EnhanceFaceVideo") in executed  # not from the cache
        results.append(read_pixels(saved(comfy_server, graph, run)))
    assert np.array_equal(results[0], results[1])


def test_ten_runs_keep_memory_flat(comfy_server: ComfyServer, clip: Path) -> None:
    """Compared once ComfyUI has collected its garbage, which 0.3.64 lets grow for ten seconds."""
    kept = []
    for numbers in (range(3), range(3, 10)):
        for number in numbers:
            graph = lite(comfy_server, clip.name, strength=1 - number / 100)
            saved(comfy_server, graph, comfy_server.run(graph))
        comfy_server.free()
        time.sleep(2)
        kept.append(memory(comfy_server))
    assert kept[1] - kept[0] < MOST_GROWTH


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"region": "face", "faces": "somebody"}, "faces"),
        ({"region": "face", "faces": "99"}, "99"),
    ],
    ids=["faces-nonsense", "no-such-face"],
)
def test_wrong_values_give_a_sentence(
    comfy_server: ComfyServer, clip: Path, changes: dict[str, Any], message: str
) -> None:
    run = comfy_server.run(lite(comfy_server, clip.name, **changes))
    assert run.status == "error"
    assert message in run.error
    assert "Traceback" not in run.error


def test_a_file_without_a_picture_gives_a_sentence(comfy_server: ComfyServer) -> None:
    write_audio(comfy_server.base / "input" / "only_sound.mp4")
    run = comfy_server.run(lite(comfy_server, "only_sound.mp4"))
    assert run.status == "error"


def test_values_out_of_range_are_refused_before_the_run(comfy_server: ComfyServer, clip: Path) -> None:
    with pytest.raises(RefusedPrompt, match="bigger than max"):
        comfy_server.run(lite(comfy_server, clip.name, strength=2.0))
