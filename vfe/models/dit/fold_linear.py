"""Fold what is affine before or behind a linear layer into it: computed in float32 and rounded once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .experts import ExpertLinear


def fold_input(linear: nn.Module, scale: Tensor, shift: Tensor, dtype: torch.dtype) -> nn.Linear:
    """Make `linear` take x where it took scale x + shift: W <- W scale, b <- b + W shift, both then in `dtype`.

    Return it, or its base where it has experts, which then take x too.
    """
    if isinstance(linear, ExpertLinear):
        linear.fold_input(scale, shift, dtype)
        linear = linear.base
    assert isinstance(linear, nn.Linear)
    weight, scale, shift = linear.weight.float(), scale.float().flatten(), shift.float().flatten()
    return _store(linear, weight * scale, torch.addmv(linear.bias.float(), weight, shift), dtype)


def fold_output(linear: nn.Module, gate: Tensor, dtype: torch.dtype) -> nn.Linear:
    """Make `linear` give what was gate times its output: W <- gate W, b <- gate b, both then in `dtype`.

    Return it, or its base where it has experts, whose changes are then multiplied too.
    """
    if isinstance(linear, ExpertLinear):
        linear.fold_output(gate, dtype)
        linear = linear.base
    assert isinstance(linear, nn.Linear)
    gate = gate.float().flatten()
    return _store(linear, linear.weight.float() * gate[:, None], linear.bias.float() * gate, dtype)


def _store(linear: nn.Linear, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> nn.Linear:
    """Give `linear` new parameters. The old ones keep their values: their memory may be a mapped file or shared."""
    linear.weight = nn.Parameter(weight.to(dtype), requires_grad=False)
    linear.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
    return linear
