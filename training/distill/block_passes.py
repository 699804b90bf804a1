"""What went into and came out of blocks of a DiT.

B batch, L tokens, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import Tensor, nn


class BlockPass(NamedTuple):
    """One call of a block."""

    tokens: Tensor
    """What it was given, (B, L, D)."""
    rest: tuple[Any, ...]
    """Its other arguments: time, prompt and positions."""
    output: Tensor
    """The tokens that it returned, (B, L, D)."""


@contextmanager
def recorded(blocks: nn.ModuleList, indices: Iterable[int]) -> Iterator[dict[int, BlockPass]]:
    """Keep the last pass of each of these blocks, by its index, while the context lasts."""
    passes: dict[int, BlockPass] = {}

    def keep(index: int) -> Callable[[nn.Module, tuple[Any, ...], Tensor], None]:
        def hook(_block: nn.Module, given: tuple[Any, ...], output: Tensor) -> None:
            passes[index] = BlockPass(given[0], given[1:], output)

        return hook

    handles = [blocks[index].register_forward_hook(keep(index)) for index in sorted(set(indices))]
    try:
        yield passes
    finally:
        for handle in handles:
            handle.remove()
