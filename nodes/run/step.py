"""Clips of IMAGE frames through a restorer, window by window, to latents and priors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from ...vfe.models.prior import DualCodebookPrior, Prior, PriorStrength
from ...vfe.pipeline.latents import WindowLatent
from ...vfe.pipeline.one_step import OneStepPipeline
from ...vfe.pipeline.windows import Window, WindowConfig, WindowGatherer
from ...vfe.types import FRAMES_PER_LATENT, VFEError, VideoShape
from ..backend.restorer import ComfyRestorer
from ..host.images import check_images, masks_for, to_frames
from ..host.reporter import Reporter
from ..sockets.clip_latent import ClipLatent, PlacedLatent, merged
from ..sockets.clip_prior import ClipPrior, code_picture, on_device
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
    for window in _windows(images, config):
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


def read_clip_prior(
    restorer: ComfyRestorer, images: Tensor, spatial: float, temporal: float
) -> tuple[ClipPrior, Tensor]:
    """Return the prior of a clip in the windows that suit the restorer, and its codes as an IMAGE.

    The IMAGE has a picture for each latent frame; `spatial` and `temporal` are the strengths of the prior, 0 to 1.
    Raises VFEError for a restorer without codebooks.
    """
    check_images(images)
    codebooks = restorer.codebooks
    if codebooks is None:
        raise VFEError(
            f"{restorer.name} has no codebooks; take a lite restorer that has, or load a Wan DiT with its adapter"
        )
    reporter = Reporter(len(images))
    size = VideoShape(*images.shape[:3])
    pipeline = restorer.prior_reader(size, None)
    priors: dict[tuple[int, int], Prior] = {}
    pictures: list[Tensor] = []
    for window in _windows(images, pipeline.window_for(size.height, size.width)):
        prior = pipeline.read_prior(window.frames, reporter.check)
        assert prior is not None
        priors[window.start, len(window.frames)] = on_device(prior, "cpu")
        # Pictures of latents that the window before has too.
        known = len(pictures) - window.start // FRAMES_PER_LATENT if pictures else 0
        pictures += list(_code_pictures(codebooks, prior, pipeline.model.side_multiple))[known:]
        reporter.report(window.start + len(window.frames))
    strength = PriorStrength(spatial, temporal)
    return ClipPrior(images=images, restorer=restorer, strength=strength, windows=priors), torch.stack(pictures)


def _code_pictures(network: DualCodebookPrior, prior: Prior, side: int) -> Iterator[Tensor]:
    """Yield a picture (side h, 2 side w, 3) of the codes of each latent frame of a window.

    A prior holds the entries as they are in the codebooks, so the nearest entry is the very one.
    """
    spatial = network.spatial_codebook.nearest(prior.spatial)[0]
    temporal = network.temporal_codebook.nearest(prior.temporal)[0]
    for pair in zip(spatial, temporal, strict=True):
        yield code_picture(*pair, network.config.entries, side)


def _of_window(mask: Tensor, window: Window) -> Tensor:
    """Return the masks of the frames of a window, or the one of all frames."""
    return mask[0] if len(mask) == 1 else mask[window.start : window.start + len(window.frames)]


def _windows(images: Tensor, config: WindowConfig) -> Iterator[Window]:
    """Yield the windows of an IMAGE."""
    gatherer = WindowGatherer(config)
    for frame in to_frames(images):
        window = gatherer.push(frame)
        if window is not None:
            yield window
    last = gatherer.finish()
    if last is not None:
        yield last
