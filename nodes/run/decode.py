"""LATENTs to IMAGEs: exactly window by window where they are this pack's, else as one stream through Wan's VAE.

T frames, t h w latent grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.sd
import torch
from einops import rearrange
from torch import Tensor

from ...vfe.models.wan_vae import WanVAE, WanVAEConfig
from ...vfe.models.wan_vae.latents import LATENT_MEAN, normalised
from ...vfe.pipeline.latent_decoder import LatentDecoder
from ...vfe.tensor_io.load import build_on_meta, check_fits, shapes_of
from ...vfe.tensor_io.source import TensorSource
from ...vfe.tensor_io.write import entries_of
from ...vfe.types import VFEError, VideoShape
from ...vfe.weights.wan_vae import config_of, to_official_names
from ..backend.restorer import ComfyRestorer, DecodePlan, load, room_beside
from ..backend.vae_plan import kernel_bytes, plan_decode
from ..host.images import to_images
from ..host.reporter import Reporter
from ..sockets.clip_latent import LITE_REFUSED, ClipLatent, WindowFader, clip_of, is_lite, unchanged_clip


@dataclass(frozen=True)
class VaeModel:
    """Wan's VAE alone as the `DecodingModel` that a `LatentDecoder` runs."""

    codec: WanVAE
    device: torch.device


def decode_with_restorer(restorer: ComfyRestorer, latent: dict[str, Any], plan: DecodePlan) -> Tensor:
    """Decode a LATENT to an IMAGE with the VAE of a restorer.

    Raises VFEError where the latent is of another kind of model, or does not fit the memory.
    """
    if is_lite(latent) and restorer.is_wan:
        raise VFEError("this latent is of a lite restorer; connect the RESTORER that made it")
    if not is_lite(latent) and not restorer.is_wan:
        raise VFEError("this latent is of Wan's VAE, the RESTORER is a lite one; connect a Wan restorer or a VAE")
    clip = unchanged_clip(latent)
    size = _size_of(_samples(latent)) if clip is None else _largest_window(clip)
    return _decode(restorer.decoder(size, plan), latent)


def decode_with_vae(vae: comfy.sd.VAE, latent: dict[str, Any], plan: DecodePlan) -> Tensor:
    """Decode a LATENT to an IMAGE with a VAE that ComfyUI has loaded.

    Raises VFEError where the VAE is not Wan2.1's, for latents of lite, and where the memory is too short.
    """
    samples = _samples(latent)
    clip = unchanged_clip(latent)
    own = own_vae(vae)
    size = _size_of(samples) if clip is None else _largest_window(clip)
    latents = own.latent_shape(size.padded(16))
    kernels = kernel_bytes(vae.patcher.model_size())
    planned = plan_decode(own.config, own.dtype, latents, plan, room_beside([vae.patcher], vae.device) - kernels)
    load([vae.patcher], planned.bytes + kernels)
    own = own_vae(vae)  # of the weights where they are now
    own.plan = planned.plan
    own.prepare(vae.device, vae.vae_dtype)
    return _decode(LatentDecoder(VaeModel(own, vae.device)), latent)


def own_vae(vae: comfy.sd.VAE) -> WanVAE:
    """Return vfe's network with the very weights that ComfyUI's has; VFEError where that is not Wan2.1's VAE."""
    vae.throw_exception_if_invalid()
    entries = entries_of(vae.first_stage_model.state_dict())
    source = to_official_names(TensorSource(Path("this VAE"), entries, layout="ComfyUI"))
    config = config_of(source)
    own = build_on_meta(lambda: WanVAE(config))
    check_fits(source.path, shapes_of(own), source)
    own.load_state_dict({name: source.entry(name).read() for name in source}, strict=True, assign=True)
    return own.eval().requires_grad_(False)


def _decode(decoder: LatentDecoder, latent: dict[str, Any]) -> Tensor:
    """Decode window by window where the windows are still what the LATENT is, and else its samples as they are now."""
    clip = unchanged_clip(latent)
    if clip is not None:
        reporter = Reporter(clip.frames)
        return to_images(_windows(decoder, clip, reporter), clip.frames)
    clip = clip_of(latent)
    samples = _samples(latent)
    size = _size_of(samples)
    frames, height, width = len(samples) * size.frames, size.height, size.width
    if clip is not None and len(samples) == 1 and _is_of(clip, frames, height, width):
        frames, height, width = clip.frames, clip.height, clip.width
    reporter = Reporter(frames)
    return to_images(_streamed(decoder, samples, (frames, height, width), reporter), frames)


def _windows(decoder: LatentDecoder, clip: ClipLatent, reporter: Reporter) -> Iterator[Tensor]:
    """Yield the frames (3, H, W) of a clip, decoded window by window and cross-faded."""
    fader = WindowFader(clip)
    for placed in clip.windows:
        decoded = decoder.decode_latent(placed.latent, reporter.check)
        yield from fader.push(placed.start, decoded)
        reporter.report(placed.start + len(decoded))
    yield from fader.finish()


def _streamed(
    decoder: LatentDecoder, samples: Tensor, size: tuple[int, int, int], reporter: Reporter
) -> Iterator[Tensor]:
    """Yield the frames (3, H, W) of samples (B, 16, t, h, w), padding cut off; `size` is frames, height and width.

    The latents of a clip are decoded one after the other: memory does not grow with the clip.
    """
    vae, (frames, height, width) = decoder.model.codec, size
    assert isinstance(vae, WanVAE)  # a lite restorer gets no samples, see decode_with_restorer
    done = 0
    for clip in samples:
        z = normalised(rearrange(clip, "c t h w -> t c h w")).to(decoder.model.device)
        for frame in vae.decode_latents((latent.unsqueeze(0) for latent in z), reporter.check):
            if done < frames:
                yield frame[0, :, :height, :width].clamp(-1, 1)
                done += 1
                reporter.report(done)


def _samples(latent: dict[str, Any]) -> Tensor:
    """Return the samples of a LATENT of Wan's VAE, (B, 16, t, h, w); VFEError for other latents, lite's among them."""
    if is_lite(latent):
        raise VFEError(LITE_REFUSED)
    samples: Tensor = latent["samples"]
    if samples.ndim != 5 or samples.shape[1] != len(LATENT_MEAN) or min(samples.shape) < 1:
        raise VFEError(f"this latent is {tuple(samples.shape)}, needed one of Wan2.1's VAE: (1, 16, t, h, w)")
    return samples


def _size_of(samples: Tensor) -> VideoShape:
    """Return the shape of the padded clip that samples (B, 16, t, h, w) decode to."""
    return VideoShape(*samples.shape[2:]).from_latent(WanVAEConfig().space)


def _largest_window(clip: ClipLatent) -> VideoShape:
    """Return the shape of the longest window of a clip."""
    return VideoShape(max(placed.latent.frames for placed in clip.windows), clip.height, clip.width)


def _is_of(clip: ClipLatent, frames: int, height: int, width: int) -> bool:
    """Return whether a latent that another node changed still has the size of the clip, with its padding."""
    sizes = ((frames, clip.frames, 4), (height, clip.height, 16), (width, clip.width, 16))
    return all(0 <= padded - own < most for padded, own, most in sizes)
