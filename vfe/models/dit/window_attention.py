"""Attention within windows of the latent grid, so that its cost is linear in the clip.

B batch, L = t*h*w tokens, D width; g windows a grid, m tokens a window, N heads of width d.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ...types import VideoShape

CPU = torch.device("cpu")
KEPT = torch.inference_mode(False)
"""Around what makes a tensor that is kept: one that is made in inference mode could never be used in training."""


@dataclass(frozen=True)
class AttentionWindows:
    """How the tokens of a grid are divided into attention windows, which may be shifted by half their size.

    The grid is padded to whole windows. Where the shift wraps around, or padding fills a window, `mask` keeps tokens of
    different regions apart. A window of the grid's own size is full attention.
    """

    grid: VideoShape
    window: VideoShape
    shifted: bool
    device: torch.device = CPU
    """Where `order` and `inverse` lie: best where the tokens do, as a GPU stands still for what is brought to it."""

    @property
    def padded(self) -> VideoShape:
        """The grid padded to whole windows."""
        return VideoShape(*(-(-size // window) * window for size, window in zip(self.grid, self.window, strict=True)))

    @property
    def shift(self) -> tuple[int, int, int]:
        """Half a window along each axis; an axis of a single window has no border to move."""
        halves = (w // 2 if self.shifted and p > w else 0 for p, w in zip(self.padded, self.window, strict=True))
        t, h, w = halves
        return t, h, w

    @property
    def trivial(self) -> bool:
        """Whether one window holds the whole grid in its order."""
        return self.window == self.grid

    def _windows(self, x: Tensor) -> Tensor:
        """Arrange the padded grid (t, h, w) as windows (g, m)."""
        (t, h, w), (a, b, c) = self.padded, self.window
        x = torch.roll(x, [-s for s in self.shift], (0, 1, 2))
        return rearrange(x, "(t a) (h b) (w c) -> (t h w) (a b c)", t=t // a, h=h // b, w=w // c, a=a, b=b, c=c)

    @cached_property
    @KEPT
    def order(self) -> Tensor:
        """The number of the token at each position of the windows, (g, m) int64; L where that is padding."""
        t, h, w = self.grid
        tokens = torch.arange(t * h * w, device=self.device).view(self.grid)
        margin = [0, self.padded.width - w, 0, self.padded.height - h, 0, self.padded.frames - t]
        return self._windows(F.pad(tokens, margin, value=t * h * w))

    @cached_property
    @KEPT
    def inverse(self) -> Tensor:
        """The position of each token in the windows, (L,) int64."""
        positions = self.order.flatten().argsort()
        return positions[: self.grid.frames * self.grid.height * self.grid.width]

    def partition(self, x: Tensor) -> Tensor:
        """Arrange tokens (B, L, D) as windows (B, g, m, D), in which padding is zero."""
        if self.trivial:
            return x.unsqueeze(1)
        if self.padded != self.grid:
            x = F.pad(x, (0, 0, 0, 1))
        return x.index_select(1, self.order.flatten().to(x.device)).unflatten(1, tuple(self.order.shape))

    def merge(self, x: Tensor) -> Tensor:
        """Arrange windows (B, g, m, D) as tokens (B, L, D): the inverse of `partition`."""
        if self.trivial:
            return x.squeeze(1)
        return x.flatten(1, 2).index_select(1, self.inverse.to(x.device))

    @cached_property
    @KEPT
    def mask(self) -> Tensor | None:
        """What is added to the attention scores, (g, 1, m, m) of 0 and -inf; None where every window is whole."""
        if self.padded == self.grid and not any(self.shift):
            return None
        region = torch.zeros(self.padded, dtype=torch.int64)
        for axis, (size, shift) in enumerate(zip(self.grid, self.shift, strict=True)):
            index = torch.arange(self.padded[axis])
            label = (index >= size) + 2 * (index < shift)  # padding, and what the shift wraps around
            region = region * 4 + label.view([-1 if i == axis else 1 for i in range(3)])
        region = self._windows(region)
        same = region[:, :, None] == region[:, None]
        return torch.zeros(same.shape).masked_fill_(~same, float("-inf")).unsqueeze(1)


SMALL_WINDOW = 256
"""Up to so many tokens two batched products in half precision beat the fused CPU kernel: in bf16 5 ms against 16 ms at
64 tokens, 4.6 ms against 7.7 ms at 256, and with gradients 14 ms against 31 ms. In float32 the fused kernel is faster:
58 ms against 137 ms for 448 windows of 64 tokens, 7.6 ms against 11.1 ms for 7 of 256, with gradients by a tenth."""


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Return softmax attention over the last but one axis of q, k, v (..., m, d); `mask` is added to the scores."""
    if q.device.type != "cpu" or q.dtype == torch.float32 or k.shape[-2] > SMALL_WINDOW:
        return _fused_attention(q, k, v, mask)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    if mask is not None:
        scores += mask
    return scores.softmax(dim=-1) @ v


def _fused_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Call torch's kernel with four axes: with five, as windows have, it would make the m x m matrix of scores."""
    leading = q.shape[:-3]
    k, v = (x.expand(*leading, *x.shape[-3:]) for x in (k, v))
    if mask is not None:
        mask = mask.expand(*leading, -1, -1, -1).flatten(0, -4)
    q, k, v = (x.flatten(0, -4) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).unflatten(0, leading)
