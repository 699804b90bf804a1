"""Which weights a training step moves."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """A copy of all weights and buffers, by name."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def changed_parts(before: dict[str, Tensor], module: nn.Module) -> set[str]:
    """The parts, by the first word of their names, that are not bit-equal to what they were."""
    after = module.state_dict()
    return {name.partition(".")[0] for name, value in before.items() if not torch.equal(value, after[name])}
