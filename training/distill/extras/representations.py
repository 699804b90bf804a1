"""What of a latent clip is its motion: the representations phi of MCM (arXiv 2406.06890), as its code names them.

    difference  x[t + 1] - x[t]: any picture that is added to all frames cancels
    low, high   what is below and above a quarter of the frequencies of time and space (FreeInit's Butterworth filter)
    local       softmax over the places near it of how much each place of a frame is alike to the next frame's
    global      the same over all places

Its code compares the scores of `local` and `global` before the softmax; we compare shares, after it, as scores grow
with the contrast. Its learned heads are left out: the exported restorer has no place for one.

B clips; z latent (B, C, t, h, w); t frames of h x w places.
"""

from __future__ import annotations

from typing import Literal

import torch
from einops import einsum, rearrange
from torch import Tensor

Representation = Literal["difference", "low", "high", "local", "global"]

STOP_FREQUENCY = 0.25  # of the Nyquist frequency, in time and in space
ORDER = 4
LOCAL_RADIUS = 7  # places


def motion_of(z: Tensor, representation: Representation) -> Tensor:
    """phi(z) of latents (B, C, t, h, w): its first axis are the clips. Raises ValueError for a clip of one frame."""
    if z.shape[2] < 2:
        raise ValueError(f"clip of {z.shape[2]} latent frame, motion needs 2 and more: give longer clips")
    match representation:
        case "difference":
            return z.diff(dim=2)
        case "low":
            return low_frequencies(z)
        case "high":
            return z - low_frequencies(z)
        case "local":
            return matches(z, LOCAL_RADIUS)
        case "global":
            return matches(z, None)


def low_frequencies(z: Tensor) -> Tensor:
    """z without its fast changes in time and space, in its shape: 1 / (1 + (d / stop)^(2 order)) of its spectrum."""
    frames, height, width = z.shape[-3:]
    rates = [torch.fft.fftfreq(n, device=z.device) * 2 for n in (frames, height)]
    rates.append(torch.fft.rfftfreq(width, device=z.device) * 2)
    t, h, w = torch.meshgrid(*rates, indexing="ij")
    passed = 1 / (1 + ((t * t + h * h + w * w) / STOP_FREQUENCY**2) ** ORDER)
    return torch.fft.irfftn(torch.fft.rfftn(z.float(), dim=(-3, -2, -1)) * passed, s=(frames, height, width))


def matches(z: Tensor, radius: int | None) -> Tensor:
    """How likely each place of a frame is to be each of the next frame, times sqrt(h w): (B, t - 1, h w, h w).

    So the mean square of a difference is its sum over the places of the next frame. With a `radius` only places within
    it in both directions have a share.
    """
    height, width = z.shape[-2:]
    z = rearrange(z.float(), "b c t h w -> b t (h w) c")
    scores = einsum(z[:, :-1], z[:, 1:], "b t i c, b t j c -> b t i j") * z.shape[-1] ** -0.5
    if radius is not None:
        y, x = (torch.arange(n, device=z.device) for n in (height, width))
        far = ((y[:, None] - y).abs() > radius)[:, None, :, None] | ((x[:, None] - x).abs() > radius)[:, None]
        scores = scores.masked_fill(rearrange(far, "h w i j -> (h w) (i j)"), float("-inf"))
    return scores.softmax(-1) * (height * width) ** 0.5
