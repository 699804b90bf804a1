"""Linear layers that compute as if they were quantised, so that a student learns to bear it: the value of the rounded
weight, the gradient of the weight itself (straight-through, Bengio et al. 2013).

The grids are those of `vfe`: float8 with a power of two for each row (vfe/models/dit/fp8.py), and int8 with a scale for
each row and inputs of 7 bits (vfe/models/dit/int8.py). There the weights are quantised after t* and the prompt are
folded into them, here before: the same grids on rows whose scales differ.

O outputs, I inputs.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfe.models.dit.fp8 import quantise
from vfe.models.dit.int8 import INT8_MAX

Grid = Literal["int8", "fp8"]
INPUT_LEVELS = 127  # of 7 bits, as products of 8 overflow on CPUs without VNNI


class Fp8Rounded(nn.Linear):
    """A linear layer whose weight is rounded to float8 where it is used."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, straight_through(self.weight, fp8_rounded(self.weight)), self.bias)


class Int8Rounded(nn.Linear):
    """A linear layer whose weight is rounded to int8, and its input to 7 bits, where they are used."""

    def forward(self, x: Tensor) -> Tensor:
        weight = straight_through(self.weight, int8_rounded(self.weight))
        return F.linear(straight_through(x, input_rounded(x)), weight, self.bias)


def round_linears(blocks: nn.Module, grid: Grid) -> None:
    """Let every nn.Linear below `blocks` compute by a grid, in place; parameters and their names stay.

    Raises ValueError where LoRA layers are around them: what is quantised for use is their sum.
    """
    rounded = Fp8Rounded if grid == "fp8" else Int8Rounded
    if any(".lora_" in name for name, _ in blocks.named_parameters()):
        raise ValueError(f"quantised={grid} needs a student without LoRA: set student.wan.lora to null")
    for module in blocks.modules():
        if type(module) is nn.Linear:
            module.__class__ = rounded


def check_grid(grid: str | None) -> None:
    """Raise ValueError for a name that is no `Grid`."""
    if grid is not None and grid not in get_args(Grid):
        raise ValueError(f"quantised is {grid!r}, needed {' or '.join(get_args(Grid))}, or null")


def straight_through(exact: Tensor, rounded: Tensor) -> Tensor:
    """The value of `rounded` with the gradient of `exact`."""
    return exact + (rounded.to(exact.dtype) - exact).detach()


@torch.no_grad()
def fp8_rounded(weight: Tensor) -> Tensor:
    """A weight (O, I) as float8 keeps it, in float32."""
    kept = quantise(weight)
    return kept.weight.float() * kept.scale


@torch.no_grad()
def int8_rounded(weight: Tensor) -> Tensor:
    """A weight (O, I) as int8 with a scale for each row keeps it, in float32."""
    scale = weight.float().abs().amax(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny) / INT8_MAX
    return (weight.float() / scale).round() * scale


@torch.no_grad()
def input_rounded(x: Tensor) -> Tensor:
    """An input as 7 bits between its least and greatest value keep it; 0 stays 0."""
    x = x.float()
    low, high = x.min().clamp(max=0), x.max().clamp(min=0)
    scale = ((high - low) / INPUT_LEVELS).clamp(min=torch.finfo(torch.float32).tiny)
    zero = (-low / scale).round()
    return (((x / scale).round() + zero).clamp(0, INPUT_LEVELS) - zero) * scale
