"""How much a clip suffers, as one number: the share of the frequencies of its pixels at which there is no picture.

Blur, enlargement and strong compression take high frequencies away, and noise covers them, so that all of them raise it
(spectrum.py has the measure). Powers are averaged over squares of a frame, so that plain ones, which have no detail at
best, count for little. The measure and its numbers are our own; it grows with the damage of one and the same clip,
while of two clips the smoother one may be taken for the worse.

B batch, T frames, H W sides in pixels, p side of a square, n squares of a frame.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from ..luma import LUMA
from .spectrum import cut_off_of, power_of, radial_mean

SQUARE = 64
"""The side p of the squares; less in frames that are smaller."""
MOST_FRAMES = 4
"""Frames of a clip that are looked at, evenly spread over it."""


@torch.no_grad()
def severity(video: Tensor) -> Tensor:
    """Return the severity (B,) in [0, 1], on the CPU, of video (B, 3, T, H, W) in [-1, 1]: the median of its frames."""
    count = video.shape[2]
    chosen = torch.linspace(0, count - 1, min(MOST_FRAMES, count)).round().long().tolist()
    frames = video[:, :, chosen].float()
    luma = 127.5 * (1 + torch.einsum("c, b c t h w -> b t h w", frames.new_tensor(LUMA), frames))
    side = min(SQUARE, *luma.shape[-2:])
    down, across = (size // side * side for size in luma.shape[-2:])
    top, left = (luma.shape[-2] - down) // 2, (luma.shape[-1] - across) // 2
    inner = luma[..., top : top + down, left : left + across]
    squares = rearrange(inner, "b t (y p) (x q) -> (b t y x) p q", p=side, q=side)
    radial = radial_mean(power_of(squares), side)
    of_frames = rearrange(radial, "(b n) f -> b n f", b=len(video) * len(chosen)).mean(1)
    lost = 1 - cut_off_of(of_frames, side) / (side // 2)
    return lost.view(len(video), -1).median(1).values.cpu()
