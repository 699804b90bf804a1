"""The damaged twin of a clean clip: a file of the same size, length and frame times.

T frames, H W sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..types import Progress, VFEError, no_progress
from ..video.frame import Frame
from ..video.read import open_source
from ..video.write import SinkConfig, open_sink
from .protocol import DrawnDegradation, Family

STORED_CRF = 4
"""How twins are stored: nearly lossless, so that the damage is the degradation's."""
MOST_PIXELS = 32_000_000
"""A clip is damaged so many pixels of its frames at a time: 217 frames of 384x384, 15 of 1920x1080."""


def degrade_file(
    clean: Path, twin: Path, family: Family, seed: int, sink: SinkConfig, *, frames: int | None = None,
    on_progress: Progress = no_progress,
) -> int:  # fmt: skip
    """Write the twin of a clip, or of its first `frames`, and return how many frames it has.

    One degradation is drawn for the clip. A long clip is damaged stretch by stretch, so that memory is bounded: codecs
    begin anew at each. The same clip, family and seed give the same bytes. Raises VFEError where the clip cannot be
    read, the twin not be written, or a frame is too small for the degradation.
    """
    rng = np.random.default_rng(seed)
    drawn = family.draw(rng)
    done = 0
    with open_source(clean) as source:
        info = replace(source.info, has_alpha=False, bit_depth=8)
        size = (info.width, info.height)
        with open_sink(twin, info, size, sink) as out:
            whole = islice(iter(source), frames)
            while stretch := list(islice(whole, max(1, MOST_PIXELS // (info.width * info.height)))):
                for frame in _degraded(stretch, drawn, rng):
                    out.write(frame)
                done += len(stretch)
                on_progress(done, info.frames if frames is None else frames)
    if not done:
        raise VFEError(f"{clean}: has no frame; needed is one at least")
    return done


def seed_of(name: str, seed: int) -> int:
    """Return the seed of a clip of a folder: a function of its name, so that other clips do not matter."""
    return int.from_bytes(sha256(f"{seed}:{name}".encode()).digest()[:8], "big")


def _degraded(frames: list[Frame], drawn: DrawnDegradation, rng: np.random.Generator) -> Iterator[Frame]:
    levels = torch.stack([_levels(frame.pixels) for frame in frames])
    for frame, damaged in zip(frames, drawn.apply(levels, rng), strict=True):
        yield replace(frame, pixels=damaged.permute(2, 0, 1).float() / 127.5 - 1, alpha=None, stored=None)


def _levels(pixels: Tensor) -> Tensor:
    """Return pixels (3, H, W) in [-1, 1] as (H, W, 3) uint8."""
    return ((pixels + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous()
