"""Photos through a real server: a list of them, and memory over many runs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.support.comfy_loader import LOADER
from tests.support.comfy_server import ComfyServer, Graph, Run

PHOTOS = ("list_1.png", "list_2.png")
SIDE = 96
MOST_GROWTH = 20 << 20  # bytes that seven more runs may add to a process of a gigabyte


@pytest.fixture(scope="module", autouse=True)
def photos(comfy_server: ComfyServer) -> None:
    for seed, name in enumerate(PHOTOS):
        pixels = np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
        Image.fromarray(pixels).save(comfy_server.base / "input" / name)


def enhanced(source: Graph, link: list[str | int], **changes: float) -> Graph:
    """Enhance Face Image of what `link` gives, kept as pictures."""
    inputs = {"region": "frame", "faces": "all", "min_face": 16, "blend": 1.0, "strength": 1.0, **changes}
    enhance = {"restorer": ["1", 0], "image": link, **inputs}
    return {
        **LOADER,
        **source,
        "enhance": {"class_type": "VFE_EnhanceFaceImage", "inputs": enhance},
        "kept": {"class_type": "PreviewImage", "inputs": {"images": ["enhance", 0]}},
    }


def loaded(key: str, name: str) -> Graph:
    return {key: {"class_type": "LoadImage", "inputs": {"image": name}}}


def pictures(server: ComfyServer, run: Run) -> list[np.ndarray]:
    files = [server.base / "temp" / Path(found["filename"]) for found in run.outputs["kept"]["images"]]
    return [np.array(Image.open(file)) for file in files]


def test_a_list_comes_out_as_its_photos_do_alone(comfy_server: ComfyServer) -> None:
    one, two = PHOTOS
    source = loaded("one", one) | loaded("two", two)
    source["both"] = {"class_type": "ImageBatch", "inputs": {"image1": ["one", 0], "image2": ["two", 0]}}
    source["list"] = {"class_type": "RebatchImages", "inputs": {"images": ["both", 0], "batch_size": 1}}
    together = pictures(comfy_server, comfy_server.run(enhanced(source, ["list", 0])))
    assert len(together) == 2
    for name, picture in zip(PHOTOS, together, strict=True):
        (alone,) = pictures(comfy_server, comfy_server.run(enhanced(loaded("photo", name), ["photo", 0])))
        assert np.array_equal(picture, alone)


def test_ten_runs_keep_memory_flat(comfy_server: ComfyServer) -> None:
    kept = []
    for numbers in (range(3), range(3, 10)):
        for number in numbers:
            graph = enhanced(loaded("photo", PHOTOS[0]), ["photo", 0], strength=1 - number / 100)
            assert pictures(comfy_server, comfy_server.run(graph))
        comfy_server.free()
        time.sleep(2)
        kept.append(psutil.Process(comfy_server.pid).memory_info().rss)
    assert kept[1] - kept[0] < MOST_GROWTH
