"""ggml's formats of 32 numbers a block: a scale, for some a minimum, and numbers of 4, 5 or 8 bits.

n blocks; q of 4 bits are stored as 16 bytes, whose low halves are the first 16 numbers. Numbers of 5 bits have their
fifth in 4 bytes before them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .block_format import BlockFormat, bits, half, nibbles


def _four_bits(blocks: Tensor) -> Tensor:
    return nibbles(blocks.unflatten(1, (1, -1))).flatten(1).float()


def _five_bits(high: Tensor, low: Tensor) -> Tensor:
    fifth = bits(high.unflatten(1, (-1, 1)), 1).flatten(1)
    return (nibbles(low.unflatten(1, (1, -1))).flatten(1) | fifth << 4).float()


def _q4_0(blocks: Tensor) -> Tensor:
    return half(blocks, 0) * (_four_bits(blocks[:, 2:]) - 8)


def _q4_1(blocks: Tensor) -> Tensor:
    return half(blocks, 0) * _four_bits(blocks[:, 4:]) + half(blocks, 2)


def _q5_0(blocks: Tensor) -> Tensor:
    return half(blocks, 0) * (_five_bits(blocks[:, 2:6], blocks[:, 6:]) - 16)


def _q5_1(blocks: Tensor) -> Tensor:
    return half(blocks, 0) * _five_bits(blocks[:, 4:8], blocks[:, 8:]) + half(blocks, 2)


def _q8_0(blocks: Tensor) -> Tensor:
    return half(blocks, 0) * blocks[:, 2:].contiguous().view(torch.int8).float()


Q4_0 = BlockFormat("Q4_0", 32, 18, (0,), _q4_0)
Q4_1 = BlockFormat("Q4_1", 32, 20, (0, 2), _q4_1)
Q5_0 = BlockFormat("Q5_0", 32, 22, (0,), _q5_0)
Q5_1 = BlockFormat("Q5_1", 32, 24, (0, 2), _q5_1)
Q8_0 = BlockFormat("Q8_0", 32, 34, (0,), _q8_0)
