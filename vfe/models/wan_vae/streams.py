"""Clips through the VAE in steps: all tiles of a step and then the next step, or all steps of a tile and then the next.

K latents of a step, T frames of it, n latents of a clip, h w latent sides, 8h 8w pixel sides, C width of the middle.
A stream may go on forever: it goes step by step and remembers the past of every tile. A clip that is all there goes
tile by tile, so that the past of one is in memory at a time; of the others only their features are, at latent size.
"""

from __future__ import annotations

from functools import partial

import torch
from einops import rearrange
from torch import Tensor

from ...types import CheckCancelled
from .coder import Coder
from .config import VAEPlan, frames_of, steps
from .guard import Runner
from .history import History
from .latents import denormalised, normalised
from .tiles import Area, plan_tiles, whole


class EncodeStream:
    """Encodes one clip, a step at a time."""

    def __init__(self, runner: Runner, plan: VAEPlan, sides: tuple[int, int], check: CheckCancelled) -> None:
        """`sides` are h and w of the latents."""
        self.runner, self.check = runner, check
        self.tiles = [(area, History()) for area in plan_tiles(*sides, plan.tile)]
        self.history = History()

    def step(self, frames: Tensor) -> Tensor:
        """Take frames (T, 3, 8h, 8w), first one and then 4 K, and return their latents (K, 16, h, w) in float32."""
        features = _room_for_features(self.runner, frames)
        for area, history in self.tiles:
            self.check()
            _put(features, area, self.runner.run(partial(_down, frames, area), history))
        self.check()
        return normalised(self.runner.run(partial(_means, features), self.history))


class DecodeStream:
    """Decodes one clip, a step at a time."""

    def __init__(self, runner: Runner, plan: VAEPlan, sides: tuple[int, int], check: CheckCancelled) -> None:
        self.runner, self.check = runner, check
        self.tiles = [(area, History()) for area in plan_tiles(*sides, plan.tile)]
        self.history = History()

    def step(self, latents: Tensor, out: Tensor) -> None:
        """Take latents (K, 16, h, w), first one and then K, and write their frames (T, 3, 8h, 8w) to `out`."""
        self.check()
        features = self.runner.run(partial(_features, denormalised(latents)), self.history)
        for area, history in self.tiles:
            self.check()
            frames = self.runner.run(partial(_up, features, area), history)
            _put(out, area.scaled(self.runner.config.space), frames.clamp_(-1, 1))


def encode_clip(runner: Runner, plan: VAEPlan, clip: Tensor, out: Tensor, check: CheckCancelled) -> None:
    """Write the latents (16, n, h, w) of a clip (3, 4 (n - 1) + 1, 8h, 8w) to `out`."""
    frames, latents = rearrange(clip, "c t h w -> t c h w"), rearrange(out, "c t h w -> t c h w")
    parts = [(step, frames[frames_of(step, runner.config.time)]) for step in steps(len(latents), plan.latents_per_step)]
    features = [_room_for_features(runner, part) for _, part in parts]
    for area in plan_tiles(latents.shape[2], latents.shape[3], plan.tile):
        history = History()
        for (_, part), made in zip(parts, features, strict=True):
            check()
            _put(made, area, runner.run(partial(_down, part, area), history))
    history = History()
    for (step, _), made in zip(parts, features, strict=True):
        check()
        latents[step.start : step.stop] = normalised(runner.run(partial(_means, made), history))


def decode_clip(runner: Runner, plan: VAEPlan, clip: Tensor, out: Tensor, check: CheckCancelled) -> None:
    """Write the clip (3, 4 (n - 1) + 1, 8h, 8w), in [-1, 1], of latents (16, n, h, w) to `out`."""
    latents, frames = rearrange(clip, "c t h w -> t c h w"), rearrange(out, "c t h w -> t c h w")
    config = runner.config
    history = History()
    parts = []
    for step in steps(len(latents), plan.latents_per_step):
        check()
        z = denormalised(latents[step.start : step.stop])
        parts.append((frames[frames_of(step, config.time)], runner.run(partial(_features, z), history)))
    for area in plan_tiles(latents.shape[2], latents.shape[3], plan.tile):
        history = History()
        for part, features in parts:
            check()
            made = runner.run(partial(_up, features, area), history)
            _put(part, area.scaled(config.space), made.clamp_(-1, 1))


def _down(frames: Tensor, area: Area, coder: Coder, history: History) -> Tensor:
    return coder.encoder.down(frames, area, history)


def _means(features: Tensor, coder: Coder, history: History) -> Tensor:
    return coder.encoder.means(features, history)


def _features(latents: Tensor, coder: Coder, history: History) -> Tensor:
    return coder.decoder.features(latents, history)


def _up(features: Tensor, area: Area, coder: Coder, history: History) -> Tensor:
    return coder.decoder.up(features, area, history)


def _room_for_features(runner: Runner, frames: Tensor) -> Tensor:
    """Return memory for the features (K, C, h, w) of frames (T, 3, 8h, 8w), in a dtype that repeated steps fit too."""
    config = runner.config
    shape = (-(-len(frames) // config.time), config.widths[-1], *(side // config.space for side in frames.shape[2:]))
    return torch.empty(shape, dtype=runner.holding, device=runner.target.device, memory_format=torch.channels_last)


def _put(out: Tensor, area: Area, part: Tensor) -> None:
    area.of(out, whole(out)).copy_(part)
