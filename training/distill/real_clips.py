"""Footage that is really degraded, and has no clean twin: stretches of clips for methods that learn from a teacher.

T frames, H W sides; stretches are (T, H, W, 3) uint8.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vfe.types import VFEError
from vfe.video.read import open_source
from vfe.video.suffixes import READ_VIDEO_SUFFIXES

from ..data.clips import DataConfig
from ..data.manifest import read_items
from ..data.sheets import to_frames
from ..run.recorded import NOT_RECORDED

KIND = "lq_video"
"""What a manifest calls a degraded clip without a clean twin; its folder is lq_real."""
LARGEST_SIDE = 384
"""Of a stretch in pixels, as the clean clips have it: what is larger is cut at a place of the draw's choice, so that
memory does not depend on the footage."""


@dataclass(frozen=True, kw_only=True)
class RealConfig:
    """Degraded footage beside the pairs. `root` holds a manifest.json with items of kind lq_video, or just videos, at
    any depth."""

    root: str = field(metadata=NOT_RECORDED)
    share: float = 0.5
    """The share of a batch's slots that show it, each drawn for itself (our choice); the others show pairs."""
    longest: int = 240
    """Frames of each file, from its start, of which stretches are drawn: later ones are never read."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1 or self.longest < 1:
            raise ValueError(f"share={self.share}, longest={self.longest}: needed 0 to 1, and 1 or more")


@dataclass(frozen=True)
class RealClip:
    """A file of footage, and how many frames of it may be read."""

    path: Path
    frames: int


def list_real(config: RealConfig, data: DataConfig) -> list[RealClip]:
    """The clips that are long and large enough for `data`'s crops, in the order of the manifest or of their names.

    Of a manifest, only open items where `data.open_only` says so. Raises ValueError where none is left, VFEError where
    a file cannot be read.
    """
    manifest = Path(config.root) / "manifest.json"
    paths = list(_listed(manifest, data.open_only) if manifest.is_file() else _found(Path(config.root)))
    kept = []
    for path in paths:
        with open_source(path) as source:
            info = source.info
        frames = min(config.longest, config.longest if info.frames is None else info.frames)
        if frames >= data.frames and min(info.width, info.height) >= data.side:
            kept.append(RealClip(path, frames))
    if not kept:
        raise ValueError(
            f"{config.root}: {len(paths)} degraded clips, none with {data.frames} frames of {data.side} x {data.side} "
            "pixels; set the root of the real clips to a folder of such videos"
        )
    return kept


def read_stretch(clip: RealClip, data: DataConfig, rng: np.random.Generator) -> Tensor:
    """Draw up to `data.segment` frames in a row, cut to `LARGEST_SIDE`: (T, H, W, 3) uint8.

    Where the file ends before its header says, these are its last frames. Raises VFEError where they are fewer than
    `data.frames`.
    """
    length = min(data.segment, clip.frames)
    first = int(rng.integers(clip.frames - length + 1))
    places = rng.random(2)
    last: deque[Tensor] = deque(maxlen=length)
    with open_source(clip.path) as source:
        for frame in islice(source, first + length):
            last.append(_cut(frame.pixels, places))
    if len(last) < data.frames:
        raise VFEError(f"{clip.path}: only {len(last)} frames can be read; needed are {data.frames}: take it out")
    return to_frames(torch.stack(list(last), 1)[None])


def _cut(pixels: Tensor, places: np.ndarray) -> Tensor:
    """A frame (3, H, W) cut to `LARGEST_SIDE` at `places` in [0, 1) of the room that there is down and across."""
    spare = (max(0, side - LARGEST_SIDE) for side in pixels.shape[1:])
    top, left = (int(place * (room + 1)) for place, room in zip(places, spare, strict=True))
    return pixels[:, top : top + LARGEST_SIDE, left : left + LARGEST_SIDE].clone()


def _listed(manifest: Path, open_only: bool) -> Iterator[Path]:
    for item in read_items(manifest.parent, "the root of the real clips to a folder of such videos"):
        if item["kind"] == KIND and (item["open"] or not open_only):
            yield manifest.parent / item["file"]


def _found(root: Path) -> Iterator[Path]:
    yield from (path for path in sorted(root.rglob("*")) if path.suffix.lower() in READ_VIDEO_SUFFIXES)
