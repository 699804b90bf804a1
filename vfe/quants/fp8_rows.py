"""Rows of float8 numbers with a scale for each: a block is a row, 4 bytes of the scale and one for each number."""

from __future__ import annotations

import torch
from torch import Tensor

from .block_format import BlockFormat

SCALE_BYTES = 4


def fp8_rows(width: int) -> BlockFormat:
    """Return the format of rows of `width` numbers."""
    return BlockFormat("fp8", width, SCALE_BYTES + width, (), _decode)


def pack_rows(weight: Tensor, scale: Tensor) -> Tensor:
    """Return a weight (O, I) in float8_e4m3fn and its scale (O, 1) in float32 as blocks: uint8 (O, 1, I + 4)."""
    parts = (scale.contiguous().view(torch.uint8), weight.contiguous().view(torch.uint8))
    return torch.cat(parts, dim=1).unsqueeze(1)


def _decode(blocks: Tensor) -> Tensor:
    scale = blocks[:, :SCALE_BYTES].clone(memory_format=torch.contiguous_format)  # to be aligned
    return blocks[:, SCALE_BYTES:].contiguous().view(torch.float8_e4m3fn).float() * scale.view(torch.float32)
