"""2-D convolutions that round each pixel in the same way whatever the size of the frame, so that tiles equal frames.

T frames, C channels, H W sides. Off the CPU they are torch's own. On a CPU those change the order of summation

- for a single small frame, which torch gives to another library than larger ones;
- at some widths, where the library pads a kernel of two columns;
- at some widths, where it sums a convolution of stride 2 over many channels.

Found by comparing frames of all widths with a part of a wide one, with oneDNN 3.12.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SMALL_INPUT = 20480  # elements: torch's own limit
SUMMED_CHANNELS = 256  # channels: 320 have not been seen to differ, 384 have


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A 3x3 convolution of frames (T, C, H, W), padded by one."""
    return _convolve(x, weight, bias, 1, (1, 1))


def convolve_2x2(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A 2x2 convolution, padded by one: (T, C, H, W) -> (T, O, H + 1, W + 1)."""
    if x.device.type != "cpu":
        return F.conv2d(x, weight, bias, padding=1)
    return _convolve(F.pad(x, (1, 1)), weight, bias, 1, (1, 0))


def halving_kernels(weight: Tensor) -> list[Tensor]:
    """The parts in which `convolve_halving` takes a kernel (O, C, 3, 3), channels last."""
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        return [weight]
    count = -(-weight.shape[1] // SUMMED_CHANNELS)
    return [part.contiguous(memory_format=torch.channels_last) for part in weight.chunk(count, dim=1)]


def convolve_halving(x: Tensor, parts: list[Tensor], bias: Tensor) -> Tensor:
    """A 3x3 convolution of stride 2, padded on the right and below only: (T, C, H, W) -> (T, O, H / 2, W / 2)."""
    y: Tensor | None = None
    for some, part in zip(x.split(parts[0].shape[1], dim=1), parts, strict=True):
        padded = F.pad(some, (0, 1, 0, 1))
        y = _convolve(padded, part, bias, 2, (0, 0)) if y is None else y.add_(_convolve(padded, part, None, 2, (0, 0)))
    assert y is not None
    return y


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: tuple[int, int]) -> Tensor:
    """Of a single small frame on a CPU: with itself as a second one."""
    if len(x) > 1 or x.numel() > SMALL_INPUT or x.device.type != "cpu":
        return F.conv2d(x, weight, bias, stride, padding)
    return F.conv2d(x.expand(2, -1, -1, -1), weight, bias, stride, padding)[:1]
