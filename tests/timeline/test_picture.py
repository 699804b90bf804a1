"""The picture of docs/editors.md: a cut of two tapes, what of them is restored, and the cut of the results.

It is made with VFE_SCREENSHOTS=FOLDER alone, for it restores with the model itself.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("opentimelineio", reason="OpenTimelineIO is not installed here")
pytest.importorskip("matplotlib", reason="matplotlib is not installed here")

import matplotlib as mpl

from tests.support.paths import ROOT
from tests.support.timelines import clip_of, timeline_of
from vfe.cli import main
from vfe.timeline.files import read_timeline, write_timeline
from vfe.timeline.urls import path_text

DEMO = ROOT / "web" / "demo" / "vfe_demo.mp4"
HANDLES, FRAMES = 4, 48
USED = {"A001.mov": [(5, 11), (22, 11)], "B002.mov": [(20, 16)]}
ORDER = [("A001.mov", 0), ("B002.mov", 0), ("A001.mov", 1)]
COLOURS = {"A001.mov": "#2a6f97", "B002.mov": "#b5651d"}


@pytest.mark.skipif("VFE_SCREENSHOTS" not in os.environ, reason="no folder for pictures in VFE_SCREENSHOTS")
def test_the_picture_of_the_document(tmp_path: Path) -> None:
    tapes(tmp_path)
    cut, output = tmp_path / "cut.otio", tmp_path / "cut.restored.otio"
    clips = [clip_of(name, *USED[name][number], available=(0, FRAMES)) for name, number in ORDER]
    write_timeline(timeline_of(clips), cut)
    assert main(["conform", str(cut), "--handles", str(HANDLES)]) == 0
    results = sorted(path.name for path in (tmp_path / "cut.restored.media").glob("*.mov"))
    assert results == ["A001.1-36.mov", "B002.16-39.mov"]
    draw(cut, output, Path(os.environ["VFE_SCREENSHOTS"]) / "timelines.jpg")


def tapes(folder: Path) -> None:
    """Write two tapes of the demo clip, one of them mirrored and later."""
    with av.open(str(DEMO)) as source:
        frames = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    later = [np.ascontiguousarray(image[:, ::-1]) for image in frames[-FRAMES:]]
    for name, images in (("A001.mov", frames[:FRAMES]), ("B002.mov", later)):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "12"})
            assert isinstance(stream, av.VideoStream)
            stream.height, stream.width = images[0].shape[:2]
            stream.pix_fmt = "yuv420p"
            for image in images:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))


def shown(timeline: Path, clip: Any, at: int) -> npt.NDArray[np.uint8]:  # noqa: ANN401
    """The picture that a clip shows at one of its frames."""
    text = path_text(clip.media_reference.target_url)
    assert text is not None
    first = clip.source_range.start_time - clip.media_reference.available_range.start_time
    with av.open(str(timeline.parent / text)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return frames[round(first.value) + at]


def draw(cut: Path, output: Path, picture: Path) -> None:
    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(3, 1, figsize=(9, 5.4), height_ratios=[1.5, 0.9, 1.5], dpi=100)
    for axis, path in ((axes[0], cut), (axes[2], output)):
        draw_timeline(axis, path)
    for row, (name, ranges) in enumerate(USED.items()):
        draw_tape(axes[1], 1 - row, name, ranges)
    axes[1].set(xlim=(-9, FRAMES + 1), ylim=(-0.6, 1.7))
    axes[1].axis("off")
    figure.tight_layout(pad=0.4)
    figure.savefig(picture, pil_kwargs={"quality": 85})
    pyplot.close(figure)


def draw_timeline(axis: Any, path: Path) -> None:  # noqa: ANN401
    """The clips of a timeline, side by side, with pictures that each of them shows."""
    place = 0.0
    for clip in read_timeline(path).find_clips():
        length, name = clip.source_range.duration.value, f"{clip.name}.mov"
        axis.add_patch(mpl.patches.Rectangle((place, 0), length, 10, color=COLOURS[name], zorder=0))
        for index, start in enumerate(np.arange(place + 0.2, place + length - 4.9, 5.2)):
            extent = (start, start + 5, 0.4, 7.9)
            axis.imshow(shown(path, clip, index * 5), extent=extent, interpolation="antialiased", zorder=2)
        axis.text(place + 0.3, 8.3, clip.media_reference.target_url, color="white", fontsize=8)
        place += length + 0.3
    axis.set(xlim=(-0.2, place), ylim=(-0.2, 10.2), aspect="auto")
    axis.set_title(path.name, loc="left", fontsize=10, fontweight="bold")
    axis.axis("off")


def draw_tape(axis: Any, row: float, name: str, ranges: list[tuple[int, int]]) -> None:  # noqa: ANN401
    """A source: grey what is not used, pale the handles, and full what is."""
    axis.barh(row, FRAMES, 0.7, color="#dddddd")
    for start, length in ranges:
        axis.barh(row, length + 2 * HANDLES, 0.7, left=start - HANDLES, color=COLOURS[name], alpha=0.4)
    for start, length in ranges:
        axis.barh(row, length, 0.7, left=start, color=COLOURS[name])
        axis.text(start + 0.3, row, "used", color="white", fontsize=8, va="center")
    axis.text(-0.5, row, name, ha="right", va="center", fontsize=9)
    end = max(start + length for start, length in ranges)
    axis.text(end + HANDLES + 0.3, row, "not restored", fontsize=8, va="center", color="#666666")
    axis.text(end + 0.2, row, "handles", fontsize=7, va="center")
