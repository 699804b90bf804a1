"""What turns video into latents and back, for a student and its teacher: lite's transform or the Wan VAE.

None of it is trained.

B batch, C channels, T H W frames, t h w latent grid; z latent (B, C, t, h, w); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from vfe.models.lapped_codec import LappedCodec
from vfe.models.wan_vae import WanVAE

from ..wan.decoder import WanDecoder


class Codec(Protocol):
    """Encodes without gradients, and decodes with them. Both compute outside of autocast where they are called so."""

    time: int
    """Frames of a latent frame, but for the first."""
    space: int
    """Pixels along a latent pixel."""

    def encode(self, video: Tensor) -> Tensor:
        """Video of 4n + 1 frames to z in float32."""

    def decode(self, z: Tensor) -> Tensor:
        """z to video in float32."""

    def same_latents(self, other: Codec) -> bool:
        """Whether latents of `other` mean the same to this codec."""


class LiteCodec(nn.Module):
    """The lapped transform of a lite model."""

    def __init__(self, codec: LappedCodec) -> None:
        super().__init__()
        self.codec = codec
        self.time, self.space = codec.config.time, codec.config.space

    @torch.no_grad()
    def encode(self, video: Tensor) -> Tensor:
        return self.codec.encode(video)

    def decode(self, z: Tensor) -> Tensor:
        return self.codec.decode(z)

    def same_latents(self, other: Codec) -> bool:
        """Its coefficients are whitened by a scale of its own, which differs between models that were not made of each
        other."""
        return (
            isinstance(other, LiteCodec)
            and other.codec.config == self.codec.config
            and torch.equal(other.codec.scale.cpu(), self.codec.scale.cpu())
        )


class WanCodec(nn.Module):
    """The Wan VAE; the decoder with gradients is made when it is first asked for."""

    def __init__(self, vae: WanVAE, checkpointing: bool = False) -> None:
        super().__init__()
        self.vae, self.checkpointing = vae, checkpointing
        self.time, self.space = vae.config.time, vae.config.space
        self._decoder: tuple[WanDecoder, ...] = ()

    def encode(self, video: Tensor) -> Tensor:
        return self.vae.encode(video)

    def decode(self, z: Tensor) -> Tensor:
        if not self._decoder:
            self._decoder = (WanDecoder(self.vae, self.checkpointing).to(z.device),)
        video: Tensor = self._decoder[0](z)
        return video

    def same_latents(self, other: Codec) -> bool:
        return isinstance(other, WanCodec)
