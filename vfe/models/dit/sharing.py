"""Two networks of the same weights that are separate modules, so that folding one leaves the other as it is."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def shared(network: Network, without: nn.Module | None = None) -> Network:
    """Return a copy of a network's modules, with new parameters of the same memory and the very same buffers.

    What gives a parameter of the copy another value, as `to` or folding do, changes no parameter of the original. The
    part `without` is an empty module in the copy.
    """
    left_out = set() if without is None else {id(parameter) for parameter in without.parameters()}
    memo: dict[int, object] = {
        id(parameter): nn.Parameter(parameter.detach(), requires_grad=False)
        for parameter in network.parameters()
        if id(parameter) not in left_out
    }
    memo |= {id(buffer): buffer for buffer in network.buffers()}
    if without is not None:
        memo[id(without)] = nn.ModuleList()
    return copy.deepcopy(network, memo)
