"""What a computation costs: floating-point operations, the bytes that its operators read and write, and its memory."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


class Cost(NamedTuple):
    """One multiply-add is two operations; bytes are those of every operator's inputs and outputs, views left out."""

    flops: int
    bytes: int


class _Traffic(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        out = func(*args, **(kwargs or {}))
        if not _is_view(func):
            tensors = [x for x in tree_leaves((args, kwargs, out)) if isinstance(x, Tensor)]
            self.bytes += sum(x.numel() * x.element_size() for x in tensors)
        return out


def _is_view(func: Any) -> bool:  # noqa: ANN401 - an operator
    returns = func._schema.returns
    return bool(returns) and all(r.alias_info is not None and not r.alias_info.is_write for r in returns)


@torch.no_grad()
def cost_of(run: Callable[[], object]) -> Cost:
    """Count one call; compiled code and kernels of other libraries are not seen."""
    flops, traffic = FlopCounterMode(display=False), _Traffic()
    with flops, traffic:
        run()
    return Cost(int(flops.get_total_flops()), traffic.bytes)


def peak_bytes(run: Callable[[], object]) -> int:
    """The most that was allocated at once on the CPU during a call, above what was before.

    Garbage that is found in the middle of the call would count as given back, so it is collected before.
    """
    gc.collect()
    gc.disable()
    try:
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            run()
    finally:
        gc.enable()
    now = peak = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    return peak
