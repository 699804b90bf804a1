"""The half of a pipeline that turns the restored latents of a window into its frames.

B batch, C channels, T H W pixel frames, t h w latent ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from ..types import CheckCancelled, never_cancelled
from .latents import TileLatent, WindowLatent


class Codec(Protocol):
    """Turns pixels (B, 3, 4n+1, H, W) in [-1, 1] into latents and back; both call `check` often enough to stop soon."""

    def encode(self, video: Tensor, check: CheckCancelled = ...) -> Tensor:
        """Return the latents of a clip, (B, C, n+1, h, w) float32."""

    def decode(self, latent: Tensor, check: CheckCancelled = ...) -> Tensor:
        """Return the clip of latents."""


class DecodingModel(Protocol):
    """The parts of a model that decoding runs."""

    @property
    def codec(self) -> Codec:
        """What makes latents of pixels, and pixels of latents."""

    @property
    def device(self) -> torch.device:
        """Where the model computes."""


class LatentDecoder:
    """Decodes the latents of windows, tile by tile."""

    def __init__(self, model: DecodingModel) -> None:
        self.model = model

    def decode_latent(self, latent: WindowLatent, check: CheckCancelled = never_cancelled) -> list[Tensor]:
        """Return the restored frames of a window, in [-1, 1] on the CPU."""
        return cut_padding(latent, self._decode_tiles(latent, iter(latent.tiles), check))

    def _decode_tiles(self, window: WindowLatent, latents: Iterator[TileLatent], check: CheckCancelled) -> Tensor:
        """Decode a window's tiles and return its padded clip, in which they are cross-faded."""
        if len(window.rows) == len(window.columns) == 1:
            return self._decode(next(latents).z_hq, check)
        total = torch.zeros(window.rows[-1].stop, window.columns[-1].stop)
        restored = None
        for latent in latents:
            area = (..., slice(*latent.rows), slice(*latent.columns))
            decoded = self._decode(latent.z_hq, check)
            restored = decoded.new_zeros(*decoded.shape[:-2], *total.shape) if restored is None else restored
            weight = window.weight(latent)
            restored[area] += decoded * weight
            total[area[1:]] += weight
            del latent, decoded  # while the next tile is made
        assert restored is not None
        return restored / total

    @torch.inference_mode()
    def _decode(self, z_hq: Tensor, check: CheckCancelled) -> Tensor:
        """Return the pixels of a latent, (B, 3, 4n+1, 8h, 8w) in [-1, 1] on the CPU."""
        return self.model.codec.decode(z_hq.to(self.model.device), check).clamp_(-1, 1).cpu().float()


def cut_padding(window: WindowLatent, restored: Tensor) -> list[Tensor]:
    """Return the frames of a window without its padding, in the shape in which they came in."""
    frames = restored[..., : window.height, : window.width].unbind(2)[: window.frames]
    return list(frames) if len(window.frame_shape) == 4 else [frame.squeeze(0) for frame in frames]
