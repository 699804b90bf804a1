"""Compute how much memory the VAE takes: the activations and the history of a step.

K latents of a step, h w latent sides; sizes are bytes, pixels are those of a tile with its margin. Kernels are not
counted, nor is the clip on either side. What a convolution library takes is estimated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...types import VFEError, VideoShape
from .config import WanVAEConfig
from .layers import SCORES_AT_ONCE
from .tiles import plan_tiles

MIDDLE_TENSORS = 8  # of the middle's width: q, k, v and their norm, result and projection, the input
STAGE_TENSORS = 5  # in a residual block: input, shortcut, two of F(2,3)'s terms (as many bytes as frames each), result
SMALLEST_TILE = 8
WORKSPACE = 1.25  # times all that: what convolutions take beside their tensors; up to 1.18 was measured on a CPU


@dataclass(frozen=True)
class _Stage:
    """Residual blocks of one width and size."""

    width_in: int
    width: int
    pixels: int
    frames: int
    blocks: int
    retimes: bool
    """Whether a convolution over time follows."""

    @property
    def history(self) -> int:
        """The number of values that are kept between steps: two frames of each convolution's input."""
        return 2 * self.pixels * (self.width_in + self.width * (2 * self.blocks - 1 + self.retimes))

    @property
    def working(self) -> int:
        """The highest number of values that are in memory at one time."""
        return STAGE_TENSORS * self.pixels * self.frames * max(self.width, self.width_in)


def step_bytes(latents: VideoShape, config: WanVAEConfig, dtype_bytes: int, tile: int | None) -> int:
    """Return the peak of one step of `latents` = (K, h, w) with the history of one tile, of encoder or decoder.

    In half precision the history counts twice: the one before a step is kept until the step is known to be finite.
    """
    largest = max(plan_tiles(latents.height, latents.width, tile), key=lambda area: area.height * area.width)
    kept = 2 if dtype_bytes == 2 else 1
    frame = latents.height * latents.width
    middle_history = 2 * frame * 4 * _middle_width(config)
    middle = middle_history * kept + MIDDLE_TENSORS * latents.frames * frame * _middle_width(config)
    peaks = []
    for stages in (_up_stages, _down_stages):
        path = list(stages(latents, (largest.height, largest.width), config))
        history = sum(stage.history for stage in path)
        peaks.append(middle_history + kept * history + max(stage.working for stage in path))
    scores = min(SCORES_AT_ONCE, latents.frames * frame * frame)
    return int(WORKSPACE * dtype_bytes * max(middle + scores, *peaks))


def clip_bytes(latents: VideoShape, config: WanVAEConfig, dtype_bytes: int, tile: int | None, per_step: int) -> int:
    """Return the peak of `encode` or `decode` of a clip of `latents` = (n+1, h, w).

    It is that of a step, and the features of all steps at latent size.
    """
    features = 4 * latents.frames * latents.height * latents.width * _middle_width(config)
    return features + step_bytes(latents._replace(frames=min(per_step, latents.frames)), config, dtype_bytes, tile)


def tile_for(
    memory_bytes: int, latents: VideoShape, config: WanVAEConfig, dtype_bytes: int, latents_per_step: int
) -> int | None:
    """Return the largest tile side with which a clip of `latents` = (n+1, h, w) fits, None where whole frames do.

    Raises VFEError where not even the smallest tile does.
    """
    longest = max(latents.height, latents.width)
    sides = [None, *range((longest - 1) // SMALLEST_TILE * SMALLEST_TILE, 0, -SMALLEST_TILE)]
    for side in sides:
        needed = clip_bytes(latents, config, dtype_bytes, side, latents_per_step)
        if needed <= memory_bytes:
            return side
    raise VFEError(
        f"{memory_bytes / 2**20:.0f} MiB of memory for the VAE, its smallest tiles need {needed / 2**20:.0f}; "
        "free memory, or restore smaller frames or shorter windows"
    )


def _middle_width(config: WanVAEConfig) -> int:
    """The channels at latent size, of the wider of encoder and decoder."""
    return max(config.widths[-1], config.decoder_widths[-1])


def _up_stages(latents: VideoShape, sides: tuple[int, int], config: WanVAEConfig) -> Iterator[_Stage]:
    frames, width_in = latents.frames, config.decoder_widths[-1]
    for stage, (width, margin) in enumerate(zip(reversed(config.decoder_widths), config.up_margins, strict=True)):
        pixels = 1
        for side, length in zip(sides, latents[1:], strict=True):
            pixels *= min(2**stage * side + 2 * margin, 2**stage * length)
        retimes = stage < len(config.temporal) and config.temporal[-1 - stage]
        yield _Stage(width_in, width, pixels, frames, config.blocks + 1, retimes)
        frames, width_in = frames * (2 if retimes else 1), width // 2


def _down_stages(latents: VideoShape, sides: tuple[int, int], config: WanVAEConfig) -> Iterator[_Stage]:
    frames, width_in = latents.frames * config.time, config.dim
    for stage, width in enumerate(config.widths):
        pixels = 1
        for side, length in zip(sides, latents[1:], strict=True):
            pixels *= min(side + sum(config.down_margins), length) * config.space // 2**stage
        retimes = stage < len(config.temporal) and config.temporal[stage]
        yield _Stage(width_in, width, pixels, frames, config.blocks, retimes)
        frames, width_in = frames // (2 if retimes else 1), width
