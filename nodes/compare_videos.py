"""The node whose widget plays two videos in step, one over the other, with a divider to drag."""

from __future__ import annotations

import secrets
import shutil
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import folder_paths
from comfy_api.latest import Input, io
from torch import Tensor

from ..vfe.video.layouts import LAYOUTS, Layout
from .host.images import check_images
from .host.reporter import Reporter
from .host.video_file import video_file
from .remedies import in_node_terms
from .sockets.types import ADVANCED, CATEGORY, found_by

if TYPE_CHECKING:
    from .host.browser_video import BrowserVideo

Side: TypeAlias = "Input.Video | Tensor"
NAMES = ("before", "after")
"""What is written on the sides of the output video unless the user says something else."""


class CompareVideos(io.ComfyNode):
    """Compare Videos takes two VIDEOs or IMAGEs and shows them in the widget of `web/compare_node.js`."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs: two sides, and the frame rate for IMAGEs, which bring none."""
        return io.Schema(
            node_id="VFE_CompareVideos",
            display_name="Compare Videos",
            category=CATEGORY,
            **found_by("compare, comparison, before after, side by side, wipe, slider"),
            description=(
                "Plays two videos in step, one over the other, with a divider to drag, and makes one video of both to "
                "keep. Each side is a VIDEO or an IMAGE batch."
            ),
            inputs=[
                io.MultiType.Input(
                    "before", [io.Video, io.Image], tooltip="Shown left of the divider, usually the original video."
                ),
                io.MultiType.Input(
                    "after", [io.Video, io.Image], tooltip="Shown right of the divider, usually the restored video."
                ),
                io.Float.Input(
                    "frame_rate",
                    default=25.0,
                    min=1.0,
                    max=240.0,
                    step=0.001,
                    round=0.001,
                    tooltip="Frames a second of an IMAGE. Where a side is a VIDEO, its own rate holds for both.",
                ),
                io.Combo.Input(
                    "mode",
                    options=list(LAYOUTS),
                    default=LAYOUTS[0],
                    optional=True,
                    tooltip="How the output video shows both sides: a wipe whose divider moves to and fro, side by "
                    "side, or stacked.",
                ),
                io.String.Input(
                    "before_label",
                    default=NAMES[0],
                    optional=True,
                    tooltip="Written on the left or upper side of the output video; empty for nothing.",
                    **ADVANCED,
                ),
                io.String.Input(
                    "after_label",
                    default=NAMES[1],
                    optional=True,
                    tooltip="Written on the right or lower side of the output video; empty for nothing.",
                    **ADVANCED,
                ),
            ],
            outputs=[
                io.Video.Output(
                    display_name="video",
                    tooltip="The comparison as a video, for Save Video, with the sound of after. It is written only "
                    "where something takes it.",
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    @in_node_terms()
    def execute(
        cls,
        before: Side,
        after: Side,
        frame_rate: float,
        mode: Layout = LAYOUTS[0],
        before_label: str = NAMES[0],
        after_label: str = NAMES[1],
    ) -> io.NodeOutput:
        """Make both sides playable and tell the widget where they are; VFEError for what cannot be read."""
        from .host.browser_video import from_file, from_images
        from .host.later_video import LaterVideo
        from .run.comparison import Comparison

        folder = Path(folder_paths.get_temp_directory())
        folder.mkdir(parents=True, exist_ok=True)
        given = {"before": before, "after": after}
        sides = {name: side if isinstance(side, Tensor) else video_file(side, folder) for name, side in given.items()}
        videos = {
            name: from_file(side, folder, Reporter(1).report)
            for name, side in sides.items()
            if not isinstance(side, Tensor)
        }
        rate = next((video.rate for video in videos.values()), Fraction(frame_rate).limit_denominator(1001))
        for name, side in sides.items():
            if isinstance(side, Tensor):
                check_images(side)
                videos[name] = from_images(side, rate, folder, Reporter(1).report)
        comparison = Comparison(**sides, rate=rate, layout=mode, names=(before_label, after_label))
        return io.NodeOutput(
            LaterVideo(lambda: comparison.write(folder)),
            ui={"vfe_compare": [{name: _describe(videos[name], folder) for name in given}]},
        )


def _describe(video: BrowserVideo, temp: Path) -> dict[str, Any]:
    """Return what the widget needs: the file as ComfyUI's /view takes it, and its size, length and rate."""
    served = _served_file(video.path)
    if served is None:  # a file elsewhere on the disk is not served
        copy = temp / f"vfe_compare_{secrets.token_hex(8)}{video.path.suffix}"
        served = _served_file(Path(shutil.copy2(video.path, copy)))
    assert served is not None
    return served | {
        "width": video.width,
        "height": video.height,
        "frames": video.frames,
        "rate": float(video.rate),
    }


def _served_file(path: Path) -> dict[str, str] | None:
    """Return file name, subfolder and kind of a file in one of ComfyUI's folders; None for files elsewhere."""
    for kind in ("temp", "output", "input"):
        root = Path(folder_paths.get_directory_by_type(kind)).absolute()
        if path.absolute().is_relative_to(root):
            part = path.absolute().relative_to(root)
            return {"filename": part.name, "subfolder": part.parent.as_posix().removeprefix("."), "type": kind}
    return None
