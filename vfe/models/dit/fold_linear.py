"""Fold what is affine before or behind a linear layer into it: computed in float32 and rounded once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .experts import ExpertLinear
from .packed import PackedLinear, dense_weight

Linear = nn.Linear | PackedLinear


def fold_input(linear: nn.Module, scale: Tensor, shift: Tensor, dtype: torch.dtype) -> Linear:
    """Make `linear` take x where it took scale x + shift: W <- W scale, b <- b + W shift, both then in `dtype`.

    Return it, or its base where it has experts, which then take x too. A packed weight stays as it is, with the scale
    beside it.
    """
    if isinstance(linear, ExpertLinear):
        linear.fold_input(scale, shift, dtype)
        linear = linear.base
    assert isinstance(linear, nn.Linear | PackedLinear)
    weight, scale, shift = dense_weight(linear), scale.float().flatten(), shift.float().flatten()
    bias = torch.addmv(linear.bias.float(), weight, shift)
    if isinstance(linear, PackedLinear):
        linear.scale_input(scale)
    else:
        linear.weight = _stored(weight * scale, dtype)
    linear.bias = _stored(bias, dtype)
    return linear


def fold_output(linear: nn.Module, gate: Tensor, dtype: torch.dtype, shift: Tensor | None = None) -> Linear:
    """Make `linear` give gate times its output plus a shift: W <- gate W, b <- gate b + shift, both then in `dtype`.

    Return it, or its base where it has experts, whose changes are then multiplied too.
    """
    if isinstance(linear, ExpertLinear):
        linear.fold_output(gate, dtype)
        linear = linear.base
    assert isinstance(linear, nn.Linear | PackedLinear)
    gate = gate.float().flatten()
    if isinstance(linear, PackedLinear):
        linear.scale_output(gate)
    else:
        linear.weight = _stored(linear.weight.float() * gate[:, None], dtype)
    bias = linear.bias.float() * gate
    linear.bias = _stored(bias if shift is None else bias + shift, dtype)
    return linear


def _stored(value: Tensor, dtype: torch.dtype) -> nn.Parameter:
    """Return a new parameter. The old one keeps its values: their memory may be a mapped file or shared."""
    return nn.Parameter(value.to(dtype), requires_grad=False)
