"""Small Wan VAEs with random weights, the same in diffusers, and the peak of memory that a call allocates."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vfe.models.wan_vae import WanVAE, WanVAEConfig, model, vae_keys_from_diffusers
from vfe.models.wan_vae.conv import Form

TINY = WanVAEConfig(dim=8)


def random_vae(config: WanVAEConfig = TINY, seed: int = 0) -> WanVAE:
    """Convolutions that keep the spread of what they multiply, norms around 1, biases that matter; frozen."""
    with torch.device("meta"):
        vae = WanVAE(config)
    vae = vae.to_empty(device="cpu").eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for name, value in vae.named_parameters():
        spread = math.sqrt(3 / value[0].numel()) if value.ndim > 1 and "gamma" not in name else 0.2
        value.uniform_(-spread, spread, generator=generator)
        if "gamma" in name:
            value.add_(1)
    return vae


def reference_of(vae: WanVAE) -> Any:  # noqa: ANN401 (diffusers is optional)
    """diffusers' AutoencoderKLWan with the same weights."""
    diffusers = pytest.importorskip("diffusers")
    config = vae.config
    with torch.device("meta"):
        reference = diffusers.AutoencoderKLWan(
            base_dim=config.dim,
            z_dim=config.latent_channels,
            dim_mult=list(config.multipliers),
            num_res_blocks=config.blocks,
            temperal_downsample=list(config.temporal),
            decoder_base_dim=config.up_dim,
        )
    ours = vae.state_dict()
    names = {name: vae_keys_from_diffusers(name, config.blocks) for name in reference.state_dict()}
    assert sorted(names.values()) == sorted(ours)
    reference.load_state_dict({name: ours[official] for name, official in names.items()}, assign=True)
    return reference.eval().requires_grad_(False)


def video_of(*shape: int, seed: int = 1) -> Tensor:
    """(B, 3, T, H, W) in [-1, 1]."""
    batch, frames, height, width = shape
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, frames, height, width, generator=generator) * 2 - 1


def latent_of(*shape: int, seed: int = 2) -> Tensor:
    """(B, 16, n, h, w) of mean 0 and deviation 1."""
    batch, latents, height, width = shape
    return torch.randn(batch, 16, latents, height, width, generator=torch.Generator().manual_seed(seed))


def use_form(monkeypatch: pytest.MonkeyPatch, form: Form) -> None:
    """Let a measurement say that this form is the fastest."""
    monkeypatch.setattr(model, "fastest_form", lambda *_: form)


def scale_gammas(vae: nn.Module, part: str, factor: float) -> None:
    """Make what follows the norms of a part larger."""
    for name, value in vae.named_parameters():
        if part in name and "gamma" in name:
            value.mul_(factor)
