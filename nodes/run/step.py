"""Clips of IMAGE frames through a restorer, window by window, to latents."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from torch import Tensor

from ...vfe.models.prior import Prior
from ...vfe.pipeline.latents import WindowLatent
from ...vfe.pipeline.one_step import OneStepPipeline
from ...vfe.pipeline.windows import Window, WindowConfig, WindowGatherer
from ...vfe.types import VideoShape
from ..backend.restorer import ComfyRestorer
from ..host.images import check_images, masks_for, to_frames
from ..host.reporter import Reporter
from ..sockets.clip_latent import ClipLatent, PlacedLatent, merged
from ..sockets.clip_prior import ClipPrior
from ..sockets.inputs import chosen_window

GivenPrior: TypeAlias = 'Prior | Literal["own"] | None'
SMALLEST_WINDOW = 5
"""The fewest frames of a window here: windows of one frame have no latents that ComfyUI knows for a clip."""


@dataclass(frozen=True, kw_only=True)
class Enhancement:
    """What is asked of One-Step Enhance; its fields are the inputs of the node."""

    strength: float = 1.0
    window: int = 0
    overlap: int = 0
    prior: ClipPrior | None = None
    mask: Tensor | None = None


def enhance(restorer: ComfyRestorer, images: Tensor, wanted: Enhancement) -> dict[str, object]:
    """Restore an IMAGE and return the LATENT of it. Raises VFEError for inputs that do not fit each other."""
    check_images(images)
    mask = masks_for(wanted.mask, images)
    if wanted.prior is not None:
        wanted.prior.check_fits(images, restorer)
    reporter = Reporter(len(images))
    size = VideoShape(*images.shape[:3])
    asked = chosen_window(wanted.window, wanted.overlap, SMALLEST_WINDOW)
    if asked.note:
        logging.getLogger("vfe").info(asked.note)
    pipeline = restorer.enhancer(size, asked.config)
    reporter.begin(("Restoring",))
    config = pipeline.window_for(size.height, size.width)
    placed = []
    for window in windows_of(to_frames(images), config):
        prior: GivenPrior = "own" if wanted.prior is None else wanted.prior.of(window, pipeline, reporter.check)
        part = None if mask is None else _of_window(mask, window)
        latent = pipeline.restore_latent(window.frames, wanted.strength, reporter.check, prior=prior, mask=part)
        placed.append(PlacedLatent(window.start, latent.to("cpu")))
        done = window.start + len(window.frames)
        reporter.compare(done, window.frames[0], first_frame(pipeline, latent, reporter))
    reporter.say("Done")
    windows = tuple(placed)
    return ClipLatent(
        frames=size.frames,
        height=size.height,
        width=size.width,
        config=config,
        windows=windows,
        samples=merged(windows, config.overlap) if restorer.is_wan else None,
    ).as_latent()


def first_frame(pipeline: OneStepPipeline, latent: WindowLatent, reporter: Reporter) -> Tensor:
    """Return the first frame (3, H, W) of a window as it will be: its latent stands alone, and is quick to decode."""
    tiles = tuple(replace(tile, z_hq=tile.z_hq[:, :, :1]) for tile in latent.tiles)
    return pipeline.decode_latent(replace(latent, frames=1, tiles=tiles), reporter.check)[0]


def _of_window(mask: Tensor, window: Window) -> Tensor:
    """Return the masks of the frames of a window, or the one of all frames."""
    return mask[0] if len(mask) == 1 else mask[window.start : window.start + len(window.frames)]


def windows_of(frames: Iterable[Tensor], config: WindowConfig) -> Iterator[Window]:
    """Yield the windows of a clip of frames (3, H, W)."""
    gatherer = WindowGatherer(config)
    for frame in frames:
        window = gatherer.push(frame)
        if window is not None:
            yield window
    last = gatherer.finish()
    if last is not None:
        yield last
