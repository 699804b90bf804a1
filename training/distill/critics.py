"""Critics of latents: small networks that tell real latents from made ones, place by place. Their sizes are our own.

B clips; z latent (B, C, t, h, w); L tokens of width D.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from vfe.models.dit.model import timestep_embedding
from vfe.models.flow import TRAIN_TIMESTEPS
from vfe.models.ops import Conv3d

LEAKY_RELU_SLOPE = 0.2
TIME_SINUSOIDS = 64


@dataclass(frozen=True, kw_only=True)
class LatentCriticConfig:
    """The width of the critic, and how many layers mix each place with those beside it, in space and time."""

    width: int = 64
    layers: int = 2

    def __post_init__(self) -> None:
        if self.width < 1 or self.layers < 1:
            raise ValueError(f"latent critic of width={self.width} and layers={self.layers}, needed 1 or more each")


class LatentCritic(nn.Module):
    """Logits (B, 1, t, h, w) of latents (B, C, t, h, w): above zero where it takes a place for real.

    Spectral norm holds it (Miyato et al. 2018), as it holds the critic of video in losses/adversarial.py.
    """

    def __init__(self, channels: int, config: LatentCriticConfig) -> None:
        super().__init__()
        widths = [channels, *[config.width] * config.layers]
        self.layers = nn.ModuleList(
            spectral_norm(Conv3d(before, after, 3, padding=1)) for before, after in pairwise(widths)
        )
        self.logits = spectral_norm(Conv3d(config.width, 1, 1))

    def forward(self, z: Tensor) -> Tensor:
        for layer in self.layers:
            z = F.leaky_relu(layer(z), LEAKY_RELU_SLOPE)
        logits: Tensor = self.logits(z)
        return logits


class TokenCritic(nn.Module):
    """Logits (B, L, depths) of the tokens (B, L, D) of several depths of a frozen DiT, and of the noise in them.

    Each depth has a head of its own, which is told tau: what betrays a made latent differs from noise to noise.
    """

    def __init__(self, dim: int, depths: int, width: int) -> None:
        super().__init__()
        self.inner = nn.ModuleList(spectral_norm(nn.Linear(dim, width)) for _ in range(depths))
        self.time = nn.ModuleList(spectral_norm(nn.Linear(TIME_SINUSOIDS, width)) for _ in range(depths))
        self.logits = nn.ModuleList(spectral_norm(nn.Linear(width, 1)) for _ in range(depths))

    def forward(self, hidden: Sequence[Tensor], tau: Tensor) -> Tensor:
        """Raises ValueError for another number of depths than it was made for."""
        if len(hidden) != len(self.inner):
            raise ValueError(f"{len(hidden)} depths are given, the critic has heads for {len(self.inner)}")
        sinusoids = timestep_embedding(TRAIN_TIMESTEPS * tau, TIME_SINUSOIDS, hidden[0].device)
        logits = []
        for tokens, inner, time, last in zip(hidden, self.inner, self.time, self.logits, strict=True):
            tokens = F.layer_norm(tokens.float(), tokens.shape[-1:])
            logits.append(last(F.leaky_relu(inner(tokens) + time(sinusoids)[:, None], LEAKY_RELU_SLOPE)))
        return torch.cat(logits, -1)
