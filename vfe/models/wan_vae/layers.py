"""The layers of Wan2.1's VAE between frames and frames, in the form in which they run.

T frames, C channels, H W sides, L = H W pixels of a frame; frames are (T, C, H, W), channels last.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from .conv import NormedConv, PixelLinear, Target, pixel_linear, stacked, stacked_kernel, weight_of
from .convolve import convolve_2x2, convolve_halving, halving_kernels
from .history import History, new_frames
from .passes import inverse_norm
from .weights import AttentionWeights, DownsampleWeights, ResidualWeights, UpsampleWeights, norm_in

Layer = Callable[[Tensor, History], Tensor]
"""Turns the frames of one step into frames, given what the history holds of the steps before."""

SCORES_AT_ONCE = 1 << 22
"""How many attention scores are in memory at once, where the kernel in use writes them out: 16 MiB of float32."""


class Residual:
    """x + conv(SiLU(norm(conv(SiLU(norm(x))))))."""

    def __init__(self, weights: ResidualWeights, target: Target) -> None:
        parts = weights.residual
        self.conv1 = NormedConv(norm_in(parts, "0"), parts["2"], target)
        self.conv2 = NormedConv(norm_in(parts, "3"), parts["6"], target)
        self.shortcut = None if weights.shortcut is None else pixel_linear(weights.shortcut, target)

    def __call__(self, x: Tensor, history: History) -> Tensor:
        second = self.conv2.over(self.conv1.over(x, history)(None), history)
        return second(x if self.shortcut is None else self.shortcut(x))


class FrameAttention:
    """x + proj(attention(norm(x))): one head over the pixels of each frame."""

    def __init__(self, weights: AttentionWeights, target: Target) -> None:
        self.gamma = target.scale(weights.norm)
        self.qkv, self.proj = pixel_linear(weights.to_qkv, target), pixel_linear(weights.proj, target)

    def __call__(self, x: Tensor, history: History) -> Tensor:  # noqa: ARG002 - each frame for itself
        qkv = self.qkv((x * inverse_norm(x) * self.gamma).to(x.dtype))
        q, k, v = rearrange(qkv, "t (n c) h w -> n t 1 (h w) c", n=3)
        out = rearrange(attend(q, k, v), "t 1 (h w) c -> t c h w", h=x.shape[2])
        return self.proj(out).add_(x)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Compute softmax attention (T, 1, L, C) for a part of the queries at a time, so that no L x L matrix is made.

    A head of 384 channels is too wide for flash kernels, and SDPA's plain kernel writes out all scores it is asked for.
    """
    count = max(1, SCORES_AT_ONCE // (len(q) * k.shape[2]))
    out = torch.empty_like(v, memory_format=torch.contiguous_format)
    for queries in (slice(start, start + count) for start in range(0, q.shape[2], count)):
        out[:, :, queries] = F.scaled_dot_product_attention(q[:, :, queries], k, v)
    return out


class Downsample:
    """A 3x3 convolution of stride 2 that is padded on the right and below only."""

    def __init__(self, weights: DownsampleWeights, target: Target) -> None:
        conv = weights.resample["1"]
        self.weights, self.bias = halving_kernels(target.kernel(weight_of(conv))), target.bias(conv)

    def __call__(self, x: Tensor, history: History) -> Tensor:  # noqa: ARG002 - each frame for itself
        return convolve_halving(x, self.weights, self.bias)


class HalveRate:
    """A 3x1x1 convolution of stride 2 over the frames after the first, which passes as it is."""

    def __init__(self, weights: DownsampleWeights, target: Target) -> None:
        assert weights.time_conv is not None
        self.key = weights.time_conv
        self.conv = PixelLinear(stacked_kernel(weight_of(self.key)), self.key, target)

    def __call__(self, x: Tensor, history: History) -> Tensor:
        if history.past(self.key, x.dtype) is None:
            history.keep(self.key, x, reach=1)
            return x
        return self.conv(stacked(history.extended(self.key, x, reach=1), stride=2))


class DoubleRate:
    """A 3x1x1 convolution to two frames of one. The first frame passes as it is, and is zero to those after it."""

    def __init__(self, weights: UpsampleWeights, target: Target) -> None:
        assert weights.time_conv is not None
        self.key = weights.time_conv
        self.conv = PixelLinear(stacked_kernel(weight_of(self.key)), self.key, target)

    def __call__(self, x: Tensor, history: History) -> Tensor:
        if history.past(self.key, x.dtype) is None:
            history.keep(self.key, torch.zeros_like(x))
            return x
        pairs = self.conv(stacked(history.extended(self.key, x)))
        y = new_frames(2 * len(x), x.shape[1], x)
        y[::2], y[1::2] = pairs.chunk(2, dim=1)
        return y


class Upsample:
    """Nearest x2 and a 3x3 convolution: four 2x2 convolutions of the small frames, one for each pixel of a 2x2 block.

    A pixel of the block sees two rows and two columns of the small frame, one of them twice: its taps are summed.
    """

    def __init__(self, weights: UpsampleWeights, target: Target) -> None:
        conv = weights.resample["1"]
        self.weight, self.bias = target.kernel(phase_kernels(weight_of(conv))), target.bias(conv).repeat(4)

    def __call__(self, x: Tensor, history: History) -> Tensor:  # noqa: ARG002 - each frame for itself
        height, width = x.shape[2:]
        blocks = convolve_2x2(x, self.weight, self.bias)  # (T, 4 O, H + 1, W + 1): between pixels
        y = new_frames(len(x), blocks.shape[1] // 4, x, scale=2)
        for phase, block in enumerate(blocks.chunk(4, dim=1)):
            p, q = divmod(phase, 2)
            y[:, :, p::2, q::2] = block[:, :, p : p + height, q : q + width]
        return y


def phase_kernels(weight: Tensor) -> Tensor:
    """Return the kernels (4 O, C, 2, 2) that do before nearest x2 what (O, C, 3, 3) does after it.

    They are one for each pixel of a 2x2 block, in reading order.
    """
    fold = weight.new_tensor([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]])  # pixel of the block, small pixel, tap
    return torch.einsum("pak,qbl,ockl->pqocab", fold, fold, weight).flatten(0, 2)
