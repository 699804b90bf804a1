"""Compile the blocks of a DiT with torch.compile: all have the same shapes, so one compilation serves them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...types import VFEError
from .folded import FoldedDiT
from .model import WanDiT
from .offload import BlockStreamer


def compile_blocks(model: WanDiT | FoldedDiT, backend: str | Callable[..., Any] = "inductor") -> None:
    """Compile each block's forward, in place; the first call with a new size of clip then takes long.

    Give the model where it will run, streamed or not. Raises VFEError where the compiler does not work.
    """
    device = next(model.patch_embedding.parameters()).device
    _try_compiler(device, backend)
    blocks = model.blocks.runners if isinstance(model.blocks, BlockStreamer) else model.blocks
    for block in blocks:
        block.compile(backend=backend, dynamic=False)  # a size of its own: symbolic ones make slower kernels


def _try_compiler(device: torch.device, backend: str | Callable[..., Any]) -> None:
    def halve(x: Tensor) -> Tensor:
        return x / 2

    try:
        torch.compile(halve, backend=backend, dynamic=False)(torch.ones(2, device=device))
    except (RuntimeError, OSError, ImportError) as problem:  # dynamo's and inductor's own are RuntimeErrors
        needed = "a C++ compiler" if device.type == "cpu" else "Triton"
        raise VFEError(
            f"torch.compile was asked for but does not work on {device} ({str(problem).strip().splitlines()[0]}); "
            f"install {needed}, or leave compilation off"
        ) from problem
