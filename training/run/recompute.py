"""Gradient checkpointing of a chain of blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint, noop_context_fn

Contexts = Callable[[], tuple[AbstractContextManager[None], AbstractContextManager[None]]]
"""Called at each forward pass of a block: the contexts of that pass, and of its recomputation."""


def checkpoint_blocks(blocks: Iterable[nn.Module], contexts: Contexts = noop_context_fn) -> None:
    """Let each block keep its input alone and compute its activations again in the backward pass.

    In place, and on the instances: names of weights, and so state dicts, stay as they are.
    """
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False, context_fn=contexts)
