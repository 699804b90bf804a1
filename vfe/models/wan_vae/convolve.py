"""2-D convolutions that round each pixel in the same way whatever the size of the frame, so that tiles equal frames.

T frames, C channels, H W sides. Off the CPU they are torch's own. On a CPU those change the order of summation

- for a single small frame, which torch gives to another library than larger ones;
- at some widths, where the library pads a kernel of two columns;
- at some widths, where it sums a convolution of stride 2 over many channels.

These cases were found by comparing frames of all widths with a part of a wide one, with oneDNN 3.12.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SMALL_INPUT = 20480
"""Up to so many elements torch gives a single frame to another library."""
SUMMED_CHANNELS = 256
"""Channels that one convolution of stride 2 sums: with 384 the order changes, with 320 no change was seen."""


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve frames (T, C, H, W) by a 3x3 kernel (O, C, 3, 3), padded by one: (T, O, H, W)."""
    return _convolve(x, weight, bias, 1, (1, 1))


def convolve_2x2(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve frames by a 2x2 kernel, padded by one: (T, C, H, W) -> (T, O, H + 1, W + 1)."""
    if x.device.type != "cpu":
        return F.conv2d(x, weight, bias, padding=1)
    return _convolve(F.pad(x, (1, 1)), weight, bias, 1, (1, 0))


def halving_kernels(weight: Tensor) -> list[Tensor]:
    """Split a kernel (O, C, 3, 3) into the parts that `convolve_halving` takes, channels last."""
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        return [weight]
    count = -(-weight.shape[1] // SUMMED_CHANNELS)
    return [part.contiguous(memory_format=torch.channels_last) for part in weight.chunk(count, dim=1)]


def convolve_halving(x: Tensor, parts: list[Tensor], bias: Tensor) -> Tensor:
    """Convolve frames by a 3x3 kernel with stride 2: (T, C, H, W) -> (T, O, H / 2, W / 2).

    They are padded on the right and below only.
    """
    y: Tensor | None = None
    for channels, part in zip(x.split(parts[0].shape[1], dim=1), parts, strict=True):
        padded = F.pad(channels, (0, 1, 0, 1))
        y = _convolve(padded, part, bias, 2, (0, 0)) if y is None else y.add_(_convolve(padded, part, None, 2, (0, 0)))
    assert y is not None
    return y


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: tuple[int, int]) -> Tensor:
    """Convolve as torch does, but give a single small frame on a CPU twice, so that it goes the way of larger ones."""
    if len(x) > 1 or x.numel() > SMALL_INPUT or x.device.type != "cpu":
        return F.conv2d(x, weight, bias, stride, padding)
    return F.conv2d(x.expand(2, -1, -1, -1), weight, bias, stride, padding)[:1]
