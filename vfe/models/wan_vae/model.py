"""Wan2.1's VAE: clips to latents of mean 0 and deviation 1, and back (Wan 2025, arXiv 2503.20314, section 4.1).

B batch, n+1 latents of 4n+1 frames, h w latent sides, 8h 8w pixel sides; video is (B, 3, 4n+1, 8h, 8w) in [-1, 1] and
latents are (B, 16, n+1, h, w). A latent sees no frame after its own: a clip of any length goes through in flat memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from ...types import CheckCancelled, VideoShape, never_cancelled
from ..ops import TORCH_OPS, Ops
from .config import VAEPlan, WanVAEConfig
from .conv import Form, Target
from .guard import Runner
from .measure import fastest_form
from .passes import passes_for
from .streams import DecodeStream, EncodeStream, decode_clip, encode_clip
from .weights import VAEWeights


class WanVAE(VAEWeights):
    """The VAE under its official parameter names; equal to diffusers' AutoencoderKLWan but for rounding.

    What runs is derived from the parameters when first needed, or by `prepare`, and again after they were moved, cast
    or loaded. Whoever changes them otherwise, in place or by patches at run time, calls `prepare` afterwards.

    All methods compute in the parameters' dtype and on their device, or as `prepare` was told, without gradients; clips
    may stay on another device and go through it step by step.
    """

    def __init__(self, config: WanVAEConfig | None = None, ops: Ops = TORCH_OPS, plan: VAEPlan | None = None) -> None:
        config = config or WanVAEConfig()
        super().__init__(config, ops)
        self.config = config
        self._plan = plan or VAEPlan()
        self._runner: Runner | None = None
        # Where `prepare` was told to compute, and in which dtype.
        self._target: tuple[torch.device, torch.dtype] | None = None
        self.register_load_state_dict_post_hook(_release_after_loading)

    @property
    def plan(self) -> VAEPlan:
        """How it runs. It may be set between any two clips, and leaves what `prepare` was told as it is."""
        return self._plan

    @plan.setter
    def plan(self, plan: VAEPlan) -> None:
        if (plan.winograd, plan.fuse) != (self._plan.winograd, self._plan.fuse):
            self._runner = None
        self._plan = plan

    @property
    def device(self) -> torch.device:
        """The device on which it computes."""
        return self._parameter.device if self._target is None else self._target[0]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype in which it computes."""
        return self._parameter.dtype if self._target is None else self._target[1]

    @property
    def repeated_steps(self) -> int:
        """Steps that left float16's range and were done again in float32, since the kernels were derived."""
        return 0 if self._runner is None else self._runner.repeated

    def prepare(self, device: torch.device | None = None, dtype: torch.dtype | None = None) -> None:
        """Derive what runs, on `device` and in `dtype`; by default those of the parameters, which stay as they are.

        So the parameters may stay in a computer's memory while their kernels, of 5/3 their size, are on its GPU.
        """
        parameter = self._parameter
        device, dtype = device or parameter.device, dtype or parameter.dtype
        if parameter.is_meta:
            raise ValueError("the VAE was built on meta and has no weights; load a state dict with assign=True first")
        passes = passes_for(device, self.plan.fuse)
        form = fastest_form(device, dtype, passes, self._forms(device, dtype))
        self._runner = Runner(self, self.config, Target(device, dtype, form, passes))
        self._target = (device, dtype)

    def release(self) -> None:
        """Free what `prepare` made, and forget where and in what: that is the parameters' again."""
        self._runner = self._target = None

    def latent_shape(self, shape: VideoShape) -> VideoShape:
        """Return the grid of the latents of a clip of 4n+1 frames whose sides are multiples of 8."""
        return shape.to_latent(self.config.space, self.config.time)

    @torch.no_grad()
    def encode(self, video: Tensor, check: CheckCancelled = never_cancelled) -> Tensor:
        """Return the latents (B, 16, n+1, h, w) of video (B, 3, 4n+1, 8h, 8w), the posterior's scaled means in float32.

        Nothing is sampled. Raises ValueError for another size; `check` is called in every step of every tile.
        """
        self._check_frames(video.shape[1], *video.shape[2:])
        shape = self.latent_shape(VideoShape(*video.shape[2:]))
        latent = torch.empty(len(video), self.config.latent_channels, *shape, device=video.device)
        for clip, out in zip(video, latent, strict=True):
            encode_clip(self._ready(), self.plan, clip, out, check)
        return latent

    @torch.no_grad()
    def decode(self, latent: Tensor, check: CheckCancelled = never_cancelled) -> Tensor:
        """Return the video (B, 3, 4n+1, 8h, 8w) in [-1, 1] of latents (B, 16, n+1, h, w), in the VAE's dtype."""
        self._check_latents(latent.shape[1])
        runner = self._ready()
        shape = VideoShape(*latent.shape[2:]).from_latent(self.config.space, self.config.time)
        video = torch.empty(len(latent), 3, *shape, dtype=runner.target.dtype, device=latent.device)
        for clip, out in zip(latent, video, strict=True):
            decode_clip(runner, self.plan, clip, out, check)
        return video

    @torch.no_grad()
    def encode_frames(self, frames: Iterable[Tensor], check: CheckCancelled = never_cancelled) -> Iterator[Tensor]:
        """Frames (B, 3, 8h, 8w), 4n+1 of them, to latents (B, 16, h, w), each as soon as its frames are there.

        Memory does not depend on the number of frames. Raises ValueError where their number or size does not fit.
        """
        streams: list[EncodeStream] = []
        time, seen = self.config.time, 0
        for group in _in_steps(frames, 1, time * self.plan.latents_per_step):
            video = torch.stack(group, dim=1)
            seen += len(group)
            self._check_frames(video.shape[2], seen, *video.shape[3:])
            sides = self.latent_shape(VideoShape(seen, *video.shape[3:]))[1:]
            streams = streams or [EncodeStream(self._ready(), self.plan, sides, check) for _ in video]
            latents = [stream.step(clip) for stream, clip in zip(streams, video, strict=True)]
            yield from torch.stack(latents, dim=1)

    @torch.no_grad()
    def decode_latents(self, latents: Iterable[Tensor], check: CheckCancelled = never_cancelled) -> Iterator[Tensor]:
        """Latents (B, 16, h, w) to frames (B, 3, 8h, 8w) in [-1, 1]: one of the first latent, four of every other."""
        streams: list[DecodeStream] = []
        time, space = self.config.time, self.config.space
        for group in _in_steps(latents, 1, self.plan.latents_per_step):
            batch = torch.stack(group, dim=1)
            self._check_latents(batch.shape[2])
            runner, sides = self._ready(), (batch.shape[3], batch.shape[4])
            count = time * len(group) if streams else 1
            streams = streams or [DecodeStream(runner, self.plan, sides, check) for _ in batch]
            shape = (count, len(batch), 3, space * sides[0], space * sides[1])
            frames = torch.empty(shape, dtype=runner.target.dtype, device=batch.device)
            for stream, clip, out in zip(streams, batch, frames.unbind(1), strict=True):
                stream.step(clip, out)
            yield from frames

    @property
    def _parameter(self) -> nn.Parameter:
        return next(self.parameters())

    def _forms(self, device: torch.device, dtype: torch.dtype) -> tuple[Form, ...]:
        """Return the forms that the plan allows; in float32 on a CPU only those that round alike in all tiles."""
        if self.plan.winograd:
            return (Form.PAIRS,)
        exact = device.type == "cpu" and dtype == torch.float32
        forms = (Form.FRAMES,) if exact else (Form.FRAMES, Form.VOLUME)
        return forms if self.plan.winograd is False else (*forms, Form.PAIRS)

    def _ready(self) -> Runner:
        if self._runner is None:
            self.prepare(*(self._target or ()))
        assert self._runner is not None
        return self._runner

    def _check_frames(self, channels: int, frames: int, height: int, width: int) -> None:
        time, space = self.config.time, self.config.space
        if channels != 3 or (frames - 1) % time or height % space or width % space or min(frames, height, width) < 1:
            raise ValueError(
                f"clip is {channels} x {frames} x {height} x {width}, the VAE needs 3 channels, {time}n+1 frames "
                f"and sides that are multiples of {space}; pad it first"
            )

    def _check_latents(self, channels: int) -> None:
        if channels != self.config.latent_channels:
            raise ValueError(f"latents have {channels} channels, the VAE needs {self.config.latent_channels}")

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> WanVAE:
        """Called by `to`, `half`, `cuda` and the like: what was derived is of the parameters as they were."""
        self.release()
        return super()._apply(fn, recurse)


def _release_after_loading(vae: nn.Module, incompatible: object) -> None:  # noqa: ARG001 - torch's signature
    assert isinstance(vae, WanVAE)
    vae.release()


def _in_steps(items: Iterable[Tensor], first: int, rest: int) -> Iterator[list[Tensor]]:
    """Yield the first `first` items, then `rest` at a time, and fewer at the end."""
    iterator = iter(items)
    group = list(islice(iterator, first))
    while group:
        yield group
        group = list(islice(iterator, rest))
