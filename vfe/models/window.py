"""Attention within windows of the latent grid, so that its cost is linear in the clip.

B batch, L = t*h*w tokens, D width; n windows a grid, m tokens a window.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ..types import VideoShape


@dataclass(frozen=True)
class WindowLayout:
    """How tokens of a grid fall into windows: padded to whole windows, shifted by half a window if asked.

    Where the shift wraps around, or padding fills a window, `mask` keeps tokens of different regions apart.
    """

    grid: VideoShape
    window: VideoShape
    shifted: bool

    @property
    def padded(self) -> VideoShape:
        return VideoShape(*(-(-size // window) * window for size, window in zip(self.grid, self.window, strict=True)))

    @property
    def shift(self) -> tuple[int, int, int]:
        """Half a window along each axis; an axis of a single window has no border to move."""
        halves = (w // 2 if self.shifted and p > w else 0 for p, w in zip(self.padded, self.window, strict=True))
        t, h, w = halves
        return t, h, w

    @property
    def _pad(self) -> tuple[int, ...]:
        t, h, w = (p - g for p, g in zip(self.padded, self.grid, strict=True))
        return 0, 0, 0, w, 0, h, 0, t

    def _windows(self, x: Tensor) -> Tensor:
        (t, h, w), (a, b, c) = self.padded, self.window
        return rearrange(x, "B (t a) (h b) (w c) D -> B (t h w) (a b c) D", t=t // a, h=h // b, w=w // c, a=a, b=b, c=c)

    def partition(self, x: Tensor) -> Tensor:
        """(B, L, D) -> (B, n, m, D)."""
        t, h, w = self.grid
        x = rearrange(x, "B (t h w) D -> B t h w D", t=t, h=h, w=w)
        if any(self._pad):
            x = F.pad(x, self._pad)
        if any(self.shift):
            x = torch.roll(x, [-s for s in self.shift], (1, 2, 3))
        return self._windows(x)

    def merge(self, x: Tensor) -> Tensor:
        """The inverse of `partition`."""
        (t, h, w), (a, b, c) = self.padded, self.window
        x = rearrange(x, "B (t h w) (a b c) D -> B (t a) (h b) (w c) D", t=t // a, h=h // b, a=a, b=b, c=c)
        if any(self.shift):
            x = torch.roll(x, self.shift, (1, 2, 3))
        t, h, w = self.grid
        return rearrange(x[:, :t, :h, :w], "B t h w D -> B (t h w) D")

    @cached_property
    def mask(self) -> Tensor | None:
        """Additive attention mask (n, 1, m, m) of 0 and -inf, or None where every window is whole."""
        if not any(self._pad) and not any(self.shift):
            return None
        region = torch.zeros(1, *self.padded, 1)
        for axis, (size, window, shift) in enumerate(zip(self.grid, self.window, self.shift, strict=True), start=1):
            padded = self.padded[axis - 1]
            index = torch.arange(padded)
            label = (index >= size).float()  # padding is a region of its own
            if shift:
                label = torch.roll(label + 2 * (index < shift).float() * (padded > window), -shift)
            shape = [1] * 5
            shape[axis] = padded
            region = region * 4 + label.view(shape)
        region = self._windows(region)[0]  # (n, m, 1)
        same = region == region.transpose(1, 2)
        return torch.zeros(same.shape).masked_fill_(~same, float("-inf")).unsqueeze(1)


SMALL_WINDOW = 160  # up to here two batched products beat the fused CPU kernel: 5 ms against 16 ms at 64 tokens in bf16


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax attention over the last but one axis: (..., m, d) each; `mask` is added to the scores."""
    if q.device.type != "cpu" or k.shape[-2] > SMALL_WINDOW:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    if mask is not None:
        scores = scores + mask
    return scores.softmax(dim=-1) @ v
