"""The scale of Wan2.1's latents: the only place that knows it.

`WanVAE.encode` and `WanVAE.decode` apply it, so that latents outside of the VAE are always of mean 0 and deviation 1,
as the DiT was trained on. Nothing else may scale them: latents scaled twice or not at all decode to plausible frames
of wrong contrast and colour.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Published with Wan2.1 (wan/modules/vae.py) and in the config of diffusers' AutoencoderKLWan.
# fmt: off
LATENT_MEAN = (
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
    0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
)
LATENT_STD = (
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
    3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160,
)
# fmt: on


def normalised(mean: Tensor) -> Tensor:
    """Return the latents (mean - m) / s of the encoder's posterior means (T, 16, h, w), in float32."""
    return (mean.float() - _per_channel(LATENT_MEAN, mean)) / _per_channel(LATENT_STD, mean)


def denormalised(latent: Tensor) -> Tensor:
    """Return what the decoder takes for latents (T, 16, h, w), in float32: the inverse of `normalised`."""
    return latent.float() * _per_channel(LATENT_STD, latent) + _per_channel(LATENT_MEAN, latent)


def _per_channel(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, device=like.device).view(-1, 1, 1)
