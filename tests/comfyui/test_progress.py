"""What a user sees while nodes run on a server: phases in order, in words, a bar that never falls, and a picture."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from tests.support.clips import Clip, write_clip
from tests.support.comfy_loader import LOADER
from tests.support.comfy_server import PICTURE, ComfyServer, Run

FRAMES = 60
FACES = {"region": "frame", "faces": "all", "min_face": 16, "blend": 1.0, "strength": 1.0, "fidelity": 0.2}


def lines_of(run: Run, node: str) -> list[str]:
    """What one node said, and where pictures came."""
    assert run.status == "success", run.error
    return [line.removeprefix(f"{node}: ") for line in run.lines if line == PICTURE or line.startswith(f"{node}: ")]


def bar_of(run: Run, node: str) -> list[float]:
    """How full the bar of a node was, each time that it was drawn."""
    return [data["value"] / data["max"] for data in run.all_of("progress") if data["node"] == node]


def check_order(lines: list[str], phases: list[str]) -> None:
    """Each line belongs to a phase, phases come in order, and the numbers in each never fall."""
    found = [next(index for index, name in enumerate(phases) if re.match(name, line)) for line in lines]
    assert found == sorted(found)
    assert set(found) == set(range(len(phases)))
    for phase in range(len(phases)):
        own = (line for index, line in zip(found, lines, strict=True) if index == phase)
        numbers = [int(match[1]) for line in own if (match := re.search(r"(\d+) of \d+", line))]
        assert numbers == sorted(numbers)


@pytest.fixture(scope="module")
def video_run(comfy_server: ComfyServer) -> Run:
    write_clip(comfy_server.base / "input" / "phases.mp4", Clip(frames=FRAMES, width=192, height=160))
    return comfy_server.run(
        LOADER
        | {
            "2": {"class_type": "LoadVideo", "inputs": {"file": "phases.mp4"}},
            "3": {
                "class_type": "VFE_EnhanceFaceVideo",
                "inputs": {"restorer": ["1", 0], "video": ["2", 0], **FACES, "window": 9, "crf": -1},
            },
            "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 1]}},
        }
    )


def test_a_video_says_its_phases_in_order(video_run: Run) -> None:
    lines = [line for line in lines_of(video_run, "3") if line != PICTURE]
    phases = [
        "Loading lite",
        "Restoring the first frame",
        "Finding faces",
        r"Restoring(:|$)",
        "Writing",
        r"60 frames in",
    ]
    check_order(lines, phases)
    assert any(re.fullmatch(r"Restoring: \d+ of 60 frames, about \d+ s left", line) for line in lines)


def test_the_bar_of_a_video_never_falls(video_run: Run) -> None:
    bar = bar_of(video_run, "3")
    assert bar == sorted(bar)
    assert bar[-1] == 1


def test_a_video_shows_a_picture_before_faces_are_looked_for(video_run: Run) -> None:
    lines = lines_of(video_run, "3")
    assert lines.index(PICTURE) < next(index for index, line in enumerate(lines) if line.startswith("Finding"))
    assert all(picture[8:10] == b"\xff\xd8" for picture in video_run.previews)


def test_photos_say_which_is_restored(comfy_server: ComfyServer) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    Image.fromarray(pixels).save(comfy_server.base / "input" / "phases.png")
    run = comfy_server.run(
        LOADER
        | {
            "2": {"class_type": "LoadImage", "inputs": {"image": "phases.png"}},
            "3": {"class_type": "RepeatImageBatch", "inputs": {"image": ["2", 0], "amount": 3}},
            "4": {
                "class_type": "VFE_EnhanceFaceImage",
                "inputs": {"restorer": ["1", 0], "image": ["3", 0], **FACES},
            },
            "5": {"class_type": "PreviewAny", "inputs": {"source": ["4", 1]}},
        }
    )
    lines = lines_of(run, "4")
    texts = [line for line in lines if line != PICTURE]
    numbers = [int(number) for number in re.findall(r"Finding faces in photo (\d) of 3", "\n".join(texts))]
    assert numbers == [1, 2, 3]
    assert any(re.fullmatch(r"Restoring: 2 of 3 photos, about \d+ s left", text) for text in texts)
    assert texts[-1] == "Done"
    assert lines.index(PICTURE) < lines.index("Finding faces in photo 2 of 3")
    bar = bar_of(run, "4")
    assert bar == sorted(bar)


def test_masks_say_their_phases_and_show_a_picture(comfy_server: ComfyServer) -> None:
    write_clip(comfy_server.base / "input" / "masks.mp4", Clip(frames=FRAMES, width=320, height=240))
    run = comfy_server.run(
        {
            "1": {"class_type": "LoadVideo", "inputs": {"file": "masks.mp4"}},
            "2": {"class_type": "GetVideoComponents", "inputs": {"video": ["1", 0]}},
            "3": {
                "class_type": "VFE_FaceMask",
                "inputs": {
                    "images": ["2", 0],
                    **{"faces": "all", "min_face": 16, "feather": 0.08, "margin": 1.6, "crop_size": 0},
                },
            },
            "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 3]}},
        }
    )
    lines = lines_of(run, "3")
    check_order(
        [line for line in lines if line != PICTURE], ["Finding faces", "Drawing masks", r"\d of \d faces chosen"]
    )
    assert PICTURE in lines
    bar = bar_of(run, "3")
    assert bar == sorted(bar)
    assert bar[-1] == 1
