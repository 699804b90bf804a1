"""Gradient checkpointing of a chain of blocks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint


def checkpoint_blocks(blocks: Iterable[nn.Module]) -> None:
    """Let each block keep its input alone and compute its activations again in the backward pass.

    In place, and on the instances: names of weights, and so state dicts, stay as they are.
    """
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
