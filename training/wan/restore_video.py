"""The Wan model in training as scoring runs it: on clips whose sides need not be multiples of the DiT's patches.

B batch, t h w latent grid; z latent (B, 16, t, h, w); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from vfe.models.wan_vae import WanVAE

from ..one_step import OneStepDiT
from ..run.stage import full_precision


class WanClipRestoration:
    """Restores whole clips: `OneStepDiT` between the encoder and the decoder of the package's VAE."""

    def __init__(self, model: OneStepDiT, vae: WanVAE) -> None:
        self.model, self.vae = model, vae

    def __call__(self, video: Tensor) -> Tensor:
        """Degraded video to restored video; sides are multiples of 8."""
        with full_precision(video.device):
            z_lq = self.vae.encode(video)
        z_hq = self.step(z_lq)
        with full_precision(video.device):
            return self.vae.decode(z_hq)

    def step(self, z_lq: Tensor) -> Tensor:
        """Restore a latent z_lq of any size: its last row and column are repeated where the patches need one more."""
        height, width = z_lq.shape[-2:]
        padded = F.pad(z_lq, (0, width % 2, 0, height % 2, 0, 0), mode="replicate")
        z_hq: Tensor = self.model(padded)
        return z_hq[..., :height, :width]
