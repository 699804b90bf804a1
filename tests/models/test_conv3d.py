"""The 3-D convolution that a CPU computes as a 2-D one: numbers and gradients are PyTorch's, also in bfloat16."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vfe.models.ops import Conv3d

KERNELS: dict[str, dict[str, Any]] = {
    "one place": {"kernel_size": 1},
    "one frame": {"kernel_size": (1, 4, 4), "stride": (1, 2, 2), "padding": (0, 1, 1)},
    "patches": {"kernel_size": (1, 2, 2), "stride": (1, 2, 2), "bias": False},
    "patches of frames": {"kernel_size": (2, 2, 2), "stride": (2, 2, 2)},
    "all around": {"kernel_size": 3, "padding": 1, "groups": 2},
    "frames repeated": {"kernel_size": (3, 1, 1), "padding": (1, 0, 0), "padding_mode": "replicate"},
    "sides mirrored": {"kernel_size": 3, "padding": (0, 1, 1), "padding_mode": "reflect"},
    "wide across": {"kernel_size": (1, 3, 3), "dilation": (1, 2, 2)},
    "wide in time": {"kernel_size": (2, 1, 1), "dilation": (2, 1, 1)},
    "the same size": {"kernel_size": 3, "padding": "same"},
}


def gradients(y: Tensor, leaves: Sequence[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(y.float().square().sum(), leaves))


@pytest.mark.parametrize("kernel", KERNELS)
def test_numbers_and_gradients_are_those_of_torch(kernel: str) -> None:
    torch.manual_seed(0)
    convolution = Conv3d(4, 6, **KERNELS[kernel])
    x = torch.randn(2, 4, 5, 8, 6, requires_grad=True)
    leaves = [x, *convolution.parameters()]
    y, expected = convolution(x), nn.Conv3d.forward(convolution, x)
    torch.testing.assert_close(y, expected)
    for gradient, other in zip(gradients(y, leaves), gradients(expected, leaves), strict=True):
        torch.testing.assert_close(gradient, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kernel", ["one frame", "all around", "frames repeated"])
def test_gradients_are_right_in_bfloat16(kernel: str) -> None:
    """PyTorch's own are not a number on CPUs with AMX, at sizes such as this."""
    torch.manual_seed(0)
    convolution, x = Conv3d(64, 32, **KERNELS[kernel]), torch.randn(1, 64, 2, 64, 64)
    leaves = list(convolution.parameters())
    expected = gradients(convolution(x), leaves)
    with torch.autocast("cpu", torch.bfloat16):
        found = gradients(convolution(x), leaves)
    for gradient, other in zip(found, expected, strict=True):
        assert (gradient - other).norm() < 0.02 * other.norm()
