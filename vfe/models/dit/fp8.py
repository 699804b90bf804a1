"""Linear layers whose weights are stored in 8 bits and cast to the dtype of their input when they are used.

float8_e4m3fn keeps 4 significant bits: a weight is off by at most 1/16 of itself, plus 2^-10 of its scale near zero.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...types import VFEError

FP8 = torch.float8_e4m3fn
NO_FP8 = "8-bit weights were asked for, but Apple GPUs have no float8; use bf16 or fp16"
"""The error on a device without float8."""
FP8_MAX = torch.finfo(FP8).max  # it is 448


class Quantised(NamedTuple):
    """A weight (out, in) in float8 and its scale (out, 1) in float32: weight * scale is the original, rounded."""

    weight: Tensor
    scale: Tensor


def quantise(weight: Tensor) -> Quantised:
    """Store a weight (out, in) in float8, scaling each row by the power of two that brings its maximum to 224 .. 448.

    A power of two is multiplied without rounding in bf16 and fp16 too, and costs no precision: 8 bits float.
    """
    weight = weight.float()
    fraction = weight.abs().amax(dim=1, keepdim=True) / FP8_MAX
    mantissa, _ = torch.frexp(fraction)  # in [0.5, 1); 0 for a row of zeros
    scale = torch.where(mantissa > 0, fraction / mantissa, 1.0)
    return Quantised((weight / scale).to(FP8), scale)


class Fp8Linear(nn.Module):
    """y = x (weight * scale)^T + bias, with the product in the dtype of x (..., in)."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.scale = (nn.Parameter(part, requires_grad=False) for part in quantise(linear.weight.detach()))
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.to(x.dtype) * self.scale.to(x.dtype)
        return F.linear(x, weight, None if self.bias is None else self.bias.to(x.dtype))


@torch.no_grad()
def store_fp8(model: nn.Module) -> None:
    """Replace every nn.Linear below `model`, one after another, in place: give a DiT's `blocks`, its head is small.

    After merging and folding, which need the weights themselves. Raises VFEError on a device without float8.
    """
    for name, child in list(model.named_children()):
        if not isinstance(child, nn.Linear):
            store_fp8(child)
        elif child.weight.device.type == "mps":
            raise VFEError(NO_FP8)
        else:
            setattr(model, name, Fp8Linear(child))
