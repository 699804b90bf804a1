"""Networks of the same weights: a tree of its own, so that folding one leaves the other as it is."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def shared(network: Network, without: nn.Module | None = None) -> Network:
    """A copy of the modules; its parameters are new ones of the same memory, its buffers are the very same.

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
