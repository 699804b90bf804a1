"""A folder of raw videos and a portrait, and `vfe curate` of it within this process in a few seconds."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
import torch
from torch import Tensor

import vfe.cli.curate
from tests.support.counting_scorer import CountingScorer
from tests.support.inline_pool import InlinePool
from tests.support.moving_faces import Actor, film
from vfe.cli import main
from vfe.video.frame import Frame
from vfe.video.imagesink import ImageWriter

FRAMES = 9
SMALL = ("--side", "64", "--least-frames", "9", "--most-frames", "9", "--min-face", "40")
"""Options of clips that cost little."""
STILL = Actor("a", lambda _: (120.0, 72.0), scale=0.7)
"""Somebody who does not move."""
PASSING = Actor("a", lambda frame: (50.0 + 18 * frame, 72.0), scale=0.6)
"""Somebody who moves too far for one window."""


def write_raw(folder: Path) -> Path:
    """Write `still.mkv`, `passing.mkv`, a portrait `portraits/one.png`, and `broken.mp4`, which is no video."""
    (folder / "portraits").mkdir(parents=True)
    for name, actor in (("still", STILL), ("passing", PASSING)):
        write_film(folder / f"{name}.mkv", film([actor], range(FRAMES)))
    write_png(folder / "portraits" / "one.png", film([STILL], range(1), ground=1)[0])
    (folder / "broken.mp4").write_bytes(b"this is no video" * 99)
    return folder


def write_film(path: Path, frames: list[Tensor]) -> None:
    """Write frames (3, H, W) in [-1, 1] without loss, 25 a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = frames[0].shape[1:]
        stream.pix_fmt = "bgr0"
        for pixels in frames:
            levels = ((pixels + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(levels.numpy(), format="rgb24")))
        container.mux(stream.encode(None))


def write_png(path: Path, pixels: Tensor) -> None:
    """Write pixels (3, H, W) in [-1, 1]."""
    path.write_bytes(ImageWriter(".png", False).encode(Frame(pixels)))


def curate(monkeypatch: pytest.MonkeyPatch, scorer: CountingScorer, *line: str | Path) -> int:
    """Run `vfe curate` with a scorer, in this process; returns the exit code."""
    monkeypatch.setattr(vfe.cli.curate, "TaskPool", InlinePool)
    monkeypatch.setattr(vfe.cli.curate, "scorer_choice", lambda _: scorer)
    torch.set_num_threads(1)
    return main(["curate", *map(str, line)])
