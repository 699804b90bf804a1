"""What the stage dvface asks of a restorer, and the lite model as such a restorer.

B batch, T H W frames; z latent (B, C, t, h, w); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vfe.models.prior import DualCodebookPrior, Prior
from vfe.models.prior.fusion import FusionConfig
from vfe.weights.lite import save_lite_model

from ..lite.net import trainable_lite, with_prior
from ..run.recompute import checkpoint_blocks
from ..run.stage import full_precision


class DVFaceNet(nn.Module):
    """A restorer with a prior: z_hq = z_lq - t* v(z_lq, t*, c, f_s, f_t). The parameters that are trained have
    requires_grad."""

    @property
    @abstractmethod
    def token(self) -> int:
        """The side of a token in pixels: the sides of clips must be multiples of it."""

    @abstractmethod
    def encode(self, video: Tensor) -> Tensor:
        """Encode video to latents, without gradients: the encoder is fixed."""

    @abstractmethod
    def read_prior(self, video: Tensor) -> Prior:
        """Predict the prior's codes of degraded video, without gradients: the prior is fixed."""

    @abstractmethod
    def restore(self, z_lq: Tensor, prior: Prior) -> Tensor:
        """The restored latents z_hq, in float32."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """Decode latents to video in float32, with gradients."""

    def forward(self, video: Tensor) -> Tensor:
        """Restore degraded video; the codec's encoder and decoder run outside of the caller's autocast."""
        with full_precision(video.device):
            z_lq = self.encode(video)
        z_hq = self.restore(z_lq, self.read_prior(video))
        with full_precision(video.device):
            return self.decode(z_hq)

    @abstractmethod
    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the file or files that users load, with `facts` (how they were made) as metadata."""


class LiteNet(DVFaceNet):
    """A lite model as the stage dvface trains it: DiT, prompt and fusion have gradients; its codec has no weights."""

    def __init__(self, init: Path, prior: DualCodebookPrior, fusion: FusionConfig, checkpointing: bool) -> None:
        super().__init__()
        self.net = with_prior(trainable_lite(init), prior, fusion)
        if checkpointing:
            checkpoint_blocks(self.net.dit.blocks)

    @property
    def token(self) -> int:
        return self.net.side_multiple

    @torch.no_grad()
    def encode(self, video: Tensor) -> Tensor:
        return self.net.codec.encode(video)

    @torch.no_grad()
    def read_prior(self, video: Tensor) -> Prior:
        assert self.net.prior is not None
        prior: Prior = self.net.prior(video)
        return prior

    def restore(self, z_lq: Tensor, prior: Prior) -> Tensor:
        velocity: Tensor = self.net(z_lq, prior)
        return self.net.flow.restore(z_lq, velocity.float())

    def decode(self, z: Tensor) -> Tensor:
        return self.net.codec.decode(z)

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        save_lite_model(path, self.net, facts)
