"""The VAE in half precision: steps that leave float16's range are repeated, nothing else is, and plans keep it so."""

from __future__ import annotations

import pytest
import torch

from tests.support.tiny_vae import latent_of, random_vae, video_of
from vfe.models.wan_vae import VAEPlan, WanVAE

CLOSE = 0.05


def half(vae: WanVAE, dtype: torch.dtype = torch.float16, tile: int | None = None) -> WanVAE:
    vae.plan = VAEPlan(tile=tile, winograd=True)
    vae.prepare(dtype=dtype)
    return vae


def overflowing(part: str) -> WanVAE:
    """A VAE whose frames are ordinary and whose activations in `part` are a million times as large."""
    vae = random_vae()
    block = vae.get_submodule(part)
    for name, value in block.named_parameters():
        if name.startswith(("residual.6", "shortcut")):
            value.mul_(1e6)
    return vae


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_close_and_repeats_nothing(dtype: torch.dtype) -> None:
    vae, video, latent = random_vae(), video_of(1, 5, 16, 16), latent_of(1, 2, 2, 2)
    encoded, decoded = vae.encode(video), vae.decode(latent)
    half(vae, dtype)
    assert vae.encode(video).dtype == torch.float32
    assert vae.decode(latent).dtype == dtype
    assert (vae.encode(video) - encoded).abs().mean() < CLOSE
    assert (vae.decode(latent) - decoded).abs().mean() < CLOSE
    assert vae.repeated_steps == 0


def test_float16_is_closer_than_bfloat16() -> None:
    vae, latent = random_vae(), latent_of(1, 2, 2, 2)
    exact = vae.decode(latent)
    error = {
        dtype: (half(vae, dtype).decode(latent) - exact).square().mean() for dtype in (torch.float16, torch.bfloat16)
    }
    assert error[torch.float16] < error[torch.bfloat16] / 10


@pytest.mark.parametrize("tile", [None, 1])
@pytest.mark.parametrize("part", ["decoder.middle.0", "decoder.upsamples.4", "decoder.upsamples.14"])
def test_a_step_that_overflows_is_repeated(part: str, tile: int | None) -> None:
    vae, latent = overflowing(part), latent_of(1, 3, 2, 2)
    exact = vae.decode(latent)
    assert exact.isfinite().all()
    assert exact.std() > 0.05
    decoded = half(vae, tile=tile).decode(latent)
    assert vae.repeated_steps >= 3
    assert (decoded - exact).abs().mean() < CLOSE


@pytest.mark.parametrize("part", ["encoder.downsamples.3", "encoder.middle.0"])
def test_the_encoder_repeats_steps_too(part: str) -> None:
    vae, video = overflowing(part), video_of(1, 9, 16, 16)
    exact = vae.encode(video)
    encoded = half(vae).encode(video)
    assert vae.repeated_steps >= 3
    assert (encoded - exact).abs().mean() < CLOSE


def test_only_the_step_that_overflows_is_repeated() -> None:
    """The second latent alone is too large; what follows goes on from a past that is finite."""
    vae, latent = random_vae(), latent_of(1, 4, 2, 2)
    latent[:, :, 1] *= 1e5
    exact = vae.decode(latent)
    vae.plan = VAEPlan(winograd=True)
    vae.prepare(dtype=torch.float16)
    decoded = vae.decode(latent)
    assert exact.isfinite().all()
    assert 1 <= vae.repeated_steps <= 6
    assert (decoded - exact).abs().mean() < CLOSE


def test_a_stream_repeats_its_steps() -> None:
    vae, latent = overflowing("decoder.upsamples.4"), latent_of(1, 3, 2, 2)
    exact = vae.decode(latent)
    half(vae)
    decoded = torch.stack(list(vae.decode_latents(latent.unbind(2))), 2)
    assert vae.repeated_steps == 3
    assert (decoded - exact).abs().mean() < CLOSE


def test_bfloat16_and_float32_need_no_guard() -> None:
    vae, latent = overflowing("decoder.upsamples.4"), latent_of(1, 2, 2, 2)
    assert half(vae, torch.bfloat16).decode(latent).isfinite().all()
    assert half(vae, torch.float32).decode(latent).isfinite().all()
    assert vae.repeated_steps == 0


def test_a_plan_leaves_the_vae_where_it_was_placed() -> None:
    """Until the parameters are moved, cast or loaded; each plan as on a VAE that was prepared with it."""
    vae, latent = random_vae(), latent_of(1, 2, 2, 2)
    place = torch.device("cpu", 0)
    vae.prepare(place, torch.bfloat16)
    for plan in (VAEPlan(winograd=True), VAEPlan(winograd=False), VAEPlan(winograd=True, fuse=True, tile=1), VAEPlan()):
        vae.plan = plan
        assert (vae.device, vae.dtype) == (place, torch.bfloat16) != (vae.conv1.weight.device, vae.conv1.weight.dtype)
    vae.plan = VAEPlan(winograd=True)
    other = random_vae()
    other.plan = vae.plan
    other.prepare(dtype=torch.bfloat16)
    assert torch.equal(vae.decode(latent), other.decode(latent))
    assert (vae.device, vae.dtype) == (place, torch.bfloat16)
    vae.load_state_dict(other.state_dict())
    assert (vae.device, vae.dtype) == (torch.device("cpu"), torch.float32)
    assert vae.decode(latent).dtype == torch.float32
