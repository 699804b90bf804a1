"""The add-on inside of Blender: strips of all kinds are restored, and every frame of each is where it was.

The variable VFE_BLENDER names programs, divided as those of PATH: Blender, or a Python that has bpy. Without it these
tests are skipped: they take minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from editors.blender.make_zip import make_zip
from tests.support.paths import ROOT

BLENDERS = [name for name in os.environ.get("VFE_BLENDER", "").split(os.pathsep) if name]
SCENE = ROOT / "tests" / "support" / "blender_scene.py"
BRIGHTER = 0.1 * 255 / 2  # levels that the stand-in for the model adds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BLENDERS, reason="VFE_BLENDER names no Blender, and no Python with bpy"),
    pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for vfe is a shell script"),
]


def write_greys(path: Path, rate: int) -> str:
    """50 frames, each of its own grey, without loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"qp": "0"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(50):
            container.mux(stream.encode(grey(number).reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    return str(path)


def write_image(path: Path, number: int) -> str:
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 64, 64, "rgb24", Fraction(1)
    path.write_bytes(b"".join(bytes(packet) for packet in (*codec.encode(grey(number)), *codec.encode(None))))
    return str(path)


def grey(number: int) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 + 4 * number, np.uint8), format="rgb24")


@pytest.fixture(scope="module", params=BLENDERS)
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What came of a scene in Blender."""
    folder = tmp_path_factory.mktemp("blender")
    program = folder / "vfe"
    program.write_text(f'#!/bin/sh\ncd "{ROOT}"\nexec "{sys.executable}" -m tests.support.brighter_vfe "$@"\n')
    program.chmod(0o755)
    (folder / "images").mkdir()
    (folder / "model.safetensors").touch()
    order = {
        "package": str(make_zip(folder)),
        "program": str(program),
        "model": str(folder / "model.safetensors"),
        "folder": str(folder),
        "clips": {
            "gray": write_greys(folder / "gray.mp4", 25),
            "other": write_greys(folder / "other.mp4", 25),
            "fast": write_greys(folder / "fast.mp4", 30),
            "images": [write_image(folder / "images" / f"{number:03d}.png", number) for number in range(20)],
        },
    }
    (folder / "order.json").write_text(json.dumps(order))
    is_python = Path(request.param).name.startswith("python")
    start = [request.param] if is_python else [request.param, "-b", "--factory-startup", "-P"]
    own = {f"BLENDER_USER_{kind}": str(folder / "user" / kind) for kind in ("RESOURCES", "CONFIG", "SCRIPTS")}
    with (folder / "log").open("w") as log:
        command = [*start, str(SCENE), *(() if is_python else ("--",)), str(folder / "order.json")]
        subprocess.run(command, env=os.environ | own, stdout=log, stderr=log, timeout=900, check=False)
    told = folder / "told.json"
    assert told.exists(), (folder / "log").read_text()[-2000:]
    yield json.loads(told.read_text())


def names_of_results(told: dict[str, Any]) -> list[str]:
    return [name for name in told["strips"] if name.endswith(" restored")]


def test_every_frame_of_every_strip_is_the_restored_one(told: dict[str, Any]) -> None:
    """Trimmed, skipping, backwards, strobed, at another rate, retimed, of images, and in a cross."""
    assert len(told["before"]) >= 10
    for name, before in told["before"].items():
        assert len(set(before)) > 1 or name == "still"
        added = [after - was for was, after in zip(before, told["after"][name], strict=True)]
        assert max(abs(level - BRIGHTER) for level in added) <= 1.8, name


def test_results_lie_above_their_strips_at_the_same_time(told: dict[str, Any]) -> None:
    strips, results = told["strips"], names_of_results(told)
    assert len(results) >= 11
    for name in results:
        original, result = strips[name.removesuffix(" restored")], strips[name]
        assert result["channel"] > original["channel"]
        for edge in ("frame_final_start", "frame_final_end", "transform"):
            assert result[edge] == original[edge], name
        assert result["path"].startswith("//vfe_restored")


def test_only_what_is_shown_is_restored_and_once(told: dict[str, Any]) -> None:
    """Strips of one clip whose frames overlap have one result, which has handles of two frames."""
    grey = [name for name in told["results"] if name.startswith("gray.") and name.endswith(".mkv")]
    assert [name.split(".")[1] for name in grey] == ["3-32", "33-46"]


def test_running_again_restores_nothing_twice(told: dict[str, Any]) -> None:
    assert told["first"] == ["FINISHED"]
    assert told["second"] == ["CANCELLED"]
    assert told["count"] == len(told["strips"])
    assert told["again"] == ["FINISHED"]
    assert told["results again"] == told["results"]


def test_one_step_of_undo_takes_all_results_back(told: dict[str, Any]) -> None:
    assert told["undone"] == sorted(set(told["strips"]) - set(names_of_results(told)))


def test_vfe_is_checked_in_the_preferences(told: dict[str, Any]) -> None:
    assert told["check"].startswith("vfe ")
    assert told["check"].endswith(" is ready")
