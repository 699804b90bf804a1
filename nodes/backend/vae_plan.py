"""How Wan's VAE decodes under ComfyUI: tiles and latents a step, as asked or as they fit.

n latent frames of h x w latent pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...vfe.loading.wan import KERNEL_SHARE
from ...vfe.models.wan_vae import VAEPlan, WanVAEConfig, clip_bytes, tile_for
from ...vfe.types import VFEError, VideoShape
from .restorer import DecodePlan

LATENTS_PER_STEP = (4, 2, 1)
"""How many latents at once are tried where the user leaves it open: several fill a large GPU."""


@dataclass(frozen=True)
class PlannedDecode:
    """A plan, and the bytes on the device that it takes beside the VAE's weights."""

    plan: VAEPlan
    bytes: int


def kernel_bytes(weights: int) -> int:
    """Return the bytes of what is derived from the VAE's weights to run it."""
    return int(KERNEL_SHARE * weights)


def plan_decode(
    config: WanVAEConfig, dtype: torch.dtype, latents: VideoShape, asked: DecodePlan, room: int
) -> PlannedDecode:
    """Return how a clip of n latents is decoded in `room` bytes.

    Raises VFEError where what the user asked for, or not even the smallest tiles, fit.
    """
    tile = None if asked.tile is None else max(asked.tile // config.space, 1)
    for per_step in LATENTS_PER_STEP if asked.latents_per_step is None else (asked.latents_per_step,):
        needed = clip_bytes(latents, config, dtype.itemsize, tile, per_step)
        if needed <= room:
            return PlannedDecode(VAEPlan(latents_per_step=per_step, tile=tile), needed)
    if tile is not None:
        raise VFEError(
            f"tiles of {asked.tile} pixels and {per_step} latents a step need {needed / 2**30:.1f} GiB, "
            f"{max(room, 0) / 2**30:.1f} are there; take smaller tiles or fewer latents a step, or 0 for what fits"
        )
    tile = tile_for(room, latents, config, dtype.itemsize, per_step)
    needed = clip_bytes(latents, config, dtype.itemsize, tile, per_step)
    return PlannedDecode(VAEPlan(latents_per_step=per_step, tile=tile), needed)
