"""LATENTs to IMAGEs: exactly window by window where they are this pack's, else as one stream through Wan's VAE.

T frames, t h w latent grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import comfy.sd
import torch
from einops import rearrange
from torch import Tensor

from ...vfe.models.wan_vae import WanVAE, WanVAEConfig
from ...vfe.models.wan_vae.latents import LATENT_MEAN, normalised
from ...vfe.pipeline.one_step import OneStepModel, OneStepPipeline
from ...vfe.tensor_io.load import build_on_meta, check_fits, shapes_of
from ...vfe.tensor_io.source import TensorSource
from ...vfe.tensor_io.write import entries_of
from ...vfe.types import VFEError, VideoShape
from ...vfe.weights.wan_vae import config_of, to_official_names
from ..backend.restorer import ComfyRestorer, DecodePlan, load, room_beside
from ..backend.vae_plan import kernel_bytes, plan_decode
from ..host.images import Reporter, to_images
from ..sockets.clip_latent import ClipLatent, LiteLatent, WindowFader, is_unchanged, ride_along


@dataclass(frozen=True)
class VaeModel:
    """The part of a `OneStepModel` that decodes."""

    codec: WanVAE
    device: torch.device


def decode_with_restorer(restorer: ComfyRestorer, latent: dict[str, Any], plan: DecodePlan) -> Tensor:
    """Raises VFEError where the latent is of another kind of restorer, or does not fit the memory."""
    clip = ride_along(latent)
    is_lite = isinstance(latent["samples"], LiteLatent)
    if is_lite and (restorer.is_wan or clip is None):
        raise VFEError("this latent is of a lite restorer; connect the RESTORER that made it")
    if not is_lite and not restorer.is_wan:
        raise VFEError("this latent is of Wan's VAE, the RESTORER is a lite one; connect a Wan restorer or a VAE")
    size = _largest_window(clip) if clip is not None and is_unchanged(latent) else _size_of(_samples(latent))
    return _decode(restorer.decoder(size, plan), latent)


def decode_with_vae(vae: comfy.sd.VAE, latent: dict[str, Any], plan: DecodePlan) -> Tensor:
    """With ComfyUI's own VAE. Raises VFEError where it is not Wan2.1's, and for lite's latents."""
    samples = _samples(latent)
    clip = ride_along(latent)
    own = own_vae(vae)
    size = _largest_window(clip) if clip is not None and is_unchanged(latent) else _size_of(samples)
    latents = own.latent_shape(size.padded(16))
    kernels = kernel_bytes(vae.patcher.model_size())
    planned = plan_decode(own.config, own.dtype, latents, plan, room_beside([vae.patcher], vae.device) - kernels)
    load([vae.patcher], planned.bytes + kernels)
    own = own_vae(vae)  # of the weights where they are now
    own.plan = planned.plan
    own.prepare(vae.device, vae.vae_dtype)
    return _decode(OneStepPipeline(cast(OneStepModel, VaeModel(own, vae.device)), tile=None), latent)


def own_vae(vae: comfy.sd.VAE) -> WanVAE:
    """vfe's network of the very weights that ComfyUI's has. VFEError where that is not Wan2.1's VAE."""
    vae.throw_exception_if_invalid()
    entries = entries_of(vae.first_stage_model.state_dict())
    source = to_official_names(TensorSource(Path("this VAE"), entries, layout="ComfyUI"))
    config = config_of(source)
    own = build_on_meta(lambda: WanVAE(config))
    check_fits(source.path, shapes_of(own), source)
    own.load_state_dict({name: source.entry(name).read() for name in source}, strict=True, assign=True)
    return own.eval().requires_grad_(False)


def _decode(pipeline: OneStepPipeline, latent: dict[str, Any]) -> Tensor:
    clip = ride_along(latent)
    if clip is not None and is_unchanged(latent):
        reporter = Reporter(clip.frames)
        return to_images(_windows(pipeline, clip, reporter), clip.frames)
    samples = _samples(latent)
    size = _size_of(samples)
    frames, height, width = len(samples) * size.frames, size.height, size.width
    if clip is not None and len(samples) == 1 and _is_of(clip, frames, height, width):
        frames, height, width = clip.frames, clip.height, clip.width
    reporter = Reporter(frames)
    return to_images(_streamed(pipeline, samples, (frames, height, width), reporter), frames)


def _windows(pipeline: OneStepPipeline, clip: ClipLatent, reporter: Reporter) -> Iterator[Tensor]:
    fader = WindowFader(clip)
    for placed in clip.windows:
        decoded = pipeline.decode_latent(placed.latent, reporter.check)
        yield from fader.push(placed.start, decoded)
        reporter.report(placed.start + len(decoded))
    yield from fader.finish()


def _streamed(
    pipeline: OneStepPipeline, samples: Tensor, size: tuple[int, int, int], reporter: Reporter
) -> Iterator[Tensor]:
    """A clip's latents one after the other, padding cut off: memory does not grow with the clip."""
    vae, (frames, height, width) = pipeline.model.codec, size
    assert isinstance(vae, WanVAE)
    done = 0
    for clip in samples:
        z = normalised(rearrange(clip, "c t h w -> t c h w")).to(pipeline.model.device)
        for frame in vae.decode_latents((latent.unsqueeze(0) for latent in z), reporter.check):
            if done < frames:
                yield frame[0, :, :height, :width].clamp(-1, 1)
                done += 1
                reporter.report(done)


def _samples(latent: dict[str, Any]) -> Tensor:
    """Of Wan's VAE; VFEError for others, lite's among them."""
    samples: Tensor = latent["samples"]
    if samples.ndim != 5 or samples.shape[1] != len(LATENT_MEAN) or min(samples.shape) < 1:
        raise VFEError(f"this latent is {tuple(samples.shape)}, needed one of Wan2.1's VAE: (1, 16, t, h, w)")
    return samples


def _size_of(samples: Tensor) -> VideoShape:
    """The padded clip of a LATENT (B, 16, t, h, w)."""
    return VideoShape(*samples.shape[2:]).from_latent(WanVAEConfig().space)


def _largest_window(clip: ClipLatent) -> VideoShape:
    return VideoShape(max(placed.latent.frames for placed in clip.windows), clip.height, clip.width)


def _is_of(clip: ClipLatent, frames: int, height: int, width: int) -> bool:
    """Whether a latent that somebody changed still has the size of the clip, with its padding."""
    sizes = ((frames, clip.frames, 4), (height, clip.height, 16), (width, clip.width, 16))
    return all(0 <= padded - own < most for padded, own, most in sizes)
