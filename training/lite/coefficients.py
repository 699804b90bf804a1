"""How large the codec's coefficients are on clips, and what damage changes in them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from vfe.models.lapped_codec import LappedCodec

MIN_DEVIATION = 2e-3  # half a grey level: finer coefficients are rounding noise of 8-bit video


@torch.no_grad()
def coefficient_scale(codec: LappedCodec, clips: Iterable[Tensor]) -> Tensor:
    """The scale (C,) that gives each coefficient of the codec unit variance over `clips`, (B, 3, time n + 1, H, W) in
    [-1, 1]."""
    squares, total = torch.zeros(codec.config.channels, device=codec.scale.device), 0
    for video in clips:
        latent = codec.encode(video)[:, :, 1:] / codec.scale.view(1, -1, 1, 1, 1)  # the first frame is a group alone
        squares += latent.square().sum((0, 2, 3, 4))
        total += latent[:, 0].numel()
    return 1 / (squares / total).sqrt().clamp(min=MIN_DEVIATION)


@torch.no_grad()
def damage_spread(codec: LappedCodec, pairs: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """The root mean square (C,) of what damage changes in each whitened coefficient, over pairs of degraded and clean
    clips.

    It is the size of the velocity of a perfect restorer.
    """
    squares, total = torch.zeros_like(codec.scale), 0
    for degraded, clean in pairs:
        error = codec.encode(degraded) - codec.encode(clean)
        squares += error.square().sum((0, 2, 3, 4))
        total += error[:, 0].numel()
    return (squares / total).sqrt()
