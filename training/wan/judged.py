"""The restorer in training as what scoring asks of a restorer: codec, step and velocity.

t h w latent grid; z latent (B, 16, t, h, w).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vfe.models.wan_vae import WanVAE

from .model import OneStepDiT, WanTrainConfig


class JudgedWan:
    """`OneStepDiT` and its VAE, for clips whose sides are multiples of 8 that need not be of 16."""

    def __init__(self, config: WanTrainConfig, model: OneStepDiT, vae: WanVAE, device: torch.device) -> None:
        self.config, self.model, self.codec, self.device = config, model, vae, device

    def __call__(self, z_lq: Tensor) -> Tensor:
        """Velocity of a latent, whose last row and column are repeated where the patches need one more."""
        height, width = z_lq.shape[-2:]
        padded = F.pad(z_lq, (0, width % 2, 0, height % 2, 0, 0), mode="replicate")
        return self.model.velocity(padded)[..., :height, :width]
