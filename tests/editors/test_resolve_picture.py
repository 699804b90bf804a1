"""The picture of docs/editors.md: the tracks of a timeline before and after the menu script of Resolve, as the mock has
them; made with VFE_SCREENSHOTS=FOLDER alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from editors.resolve.vfe_resolve.cut import placements_of
from editors.resolve.vfe_resolve.tracks import Tracks
from tests.support.mock_resolve import MockTimeline
from tests.support.resolve_scene import START, Scene

ENDS = 34  # frames that are shown


@pytest.mark.skipif("VFE_SCREENSHOTS" not in os.environ, reason="no folder for pictures in VFE_SCREENSHOTS")
def test_the_picture_of_the_tracks(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    mpl = pytest.importorskip("matplotlib", reason="matplotlib is not installed here")
    mpl.use("agg")
    from matplotlib import pyplot

    figure, (before, after) = pyplot.subplots(1, 2, figsize=(9, 2.8), dpi=100)
    draw_tracks(before, scene.timeline, "before")
    assert Tracks(scene.project, scene.timeline).place(placements_of(scene.restored)[0]) == (3, [])
    draw_tracks(after, scene.timeline, "after Restore faces (VFE)")
    figure.tight_layout(pad=0.5)
    figure.savefig(Path(os.environ["VFE_SCREENSHOTS"]) / "resolve.png")
    pyplot.close(figure)


def draw_tracks(axis: Any, timeline: MockTimeline, title: str) -> None:  # noqa: ANN401
    """The clips of each video track, the lowest at the bottom as in Resolve."""
    plain = 0
    for row, (name, items) in enumerate(zip(timeline.names, timeline.tracks, strict=True)):
        plain += not name
        axis.text(-0.6, row, name or f"V{plain}", ha="right", va="center", fontsize=8)
        for item in items:
            if item.item is None:
                continue
            start = item.start - START
            axis.barh(row, item.duration, 0.8, left=start, color="#b5651d" if name else "#2a6f97")
            axis.text(start + 0.3, row, Path(item.item.path).name, color="white", fontsize=7, va="center")
    axis.set(xlim=(-8, ENDS), ylim=(-0.6, 3.6))
    axis.set_title(title, loc="left", fontsize=10, fontweight="bold")
    axis.axis("off")
