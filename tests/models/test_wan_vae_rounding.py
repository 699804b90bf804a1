"""What is computed of a pixel does not depend on the size of the frame, to the last bit, in float32 on a CPU."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vfe.models.wan_vae.convolve import convolve, convolve_2x2, convolve_halving, halving_kernels
from vfe.models.wan_vae.passes import Strips


def frames(count: int, channels: int, height: int, width: int) -> Tensor:
    x = torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(count))
    return x.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels", [7, 8, 96])
def test_an_activation_does_not_depend_on_its_place(channels: int) -> None:
    """Frames of enough elements that threads share them, in parts of odd numbers of elements."""
    x, gamma = frames(1, channels, 67, 201), torch.rand(channels, 1, 1)
    expected = Strips().extended(None, x, gamma)
    for width in (1, 3, 50, 133):
        assert torch.equal(Strips().extended(None, x[..., :width], gamma), expected[..., :width])


def assert_independent_of_size(
    convolve: Callable[[Tensor], Tensor], x: Tensor, widths: list[int], scale: float
) -> None:
    """A narrow frame's result is that of a wide one, but for the last pixel; so is a low one's."""
    expected = convolve(x)
    for width in widths:
        sees = int(scale * width) - 1
        assert torch.equal(convolve(x[..., :width])[..., :sees], expected[..., :sees])
    assert torch.equal(convolve(x[:, :, :8])[:, :, : int(8 * scale) - 1], expected[:, :, : int(8 * scale) - 1])


def kernel(out: int, channels: int, side: int) -> Tensor:
    weight = torch.randn(out, channels, side, side, generator=torch.Generator().manual_seed(0)) / channels
    return weight.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("channels", "widths"), [(8, [9, 30]), (32, [9, 10, 30]), (96, [17, 40])])
def test_a_convolution_rounds_alike_at_any_size(channels: int, widths: list[int]) -> None:
    """Frames of up to 20480 elements are small to torch: a part is where the whole is not."""
    x, weight = frames(1, channels, 60, 60), kernel(16, channels, 3)
    assert_independent_of_size(lambda part: convolve(part, weight), x, widths, 1)
    assert torch.allclose(convolve(x, weight), F.conv2d(x, weight, padding=1), atol=1e-5)


@pytest.mark.parametrize(("channels", "widths"), [(16, [9, 30]), (192, [48, 90, 99]), (384, [44, 98])])
def test_a_2x2_convolution_rounds_alike_at_any_size(channels: int, widths: list[int]) -> None:
    x, weight, bias = frames(1, channels, 12, 108), kernel(2 * channels, channels, 2), torch.rand(2 * channels)
    assert_independent_of_size(lambda part: convolve_2x2(part, weight, bias), x, widths, 1)
    assert torch.allclose(convolve_2x2(x, weight, bias), F.conv2d(x, weight, bias, padding=1), atol=1e-5)


@pytest.mark.parametrize("channels", [16, 192, 384])
def test_halving_the_sides_rounds_alike_at_any_size(channels: int) -> None:
    x, weight, bias = frames(1, channels, 12, 110), kernel(channels, channels, 3), torch.rand(channels)
    parts = halving_kernels(weight)
    assert_independent_of_size(lambda part: convolve_halving(part, parts, bias), x, [26, 30, 48, 70], 0.5)
    expected = F.conv2d(F.pad(x, (0, 1, 0, 1)), weight, bias, stride=2)
    assert torch.allclose(convolve_halving(x, parts, bias), expected, atol=1e-5)
