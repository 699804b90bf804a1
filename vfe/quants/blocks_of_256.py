"""ggml's formats of 256 numbers a block, called K: groups of 16 or 32 numbers have scales, which have a scale in turn.

n blocks. Formats with a minimum give d * scale * q - dmin * minimum, the others d * scale * (q - middle).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .block_format import BlockFormat, bits, half, nibbles


def _scales_of_six_bits(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Return the 8 scales and 8 minima, of 6 bits each, that 12 bytes (n, 12) hold, as float32 (n, 8).

    The first 4 of each are the low bits of bytes 0 to 3 and 4 to 7, whose 2 high bits go before the 4 of the last 4.
    """
    scale, minimum, rest = packed.unflatten(1, (3, 4)).unbind(1)
    scales = torch.cat((scale & 63, rest & 15 | scale >> 2 & 48), dim=1)
    minima = torch.cat((minimum & 63, rest >> 4 | minimum >> 2 & 48), dim=1)
    return scales.float(), minima.float()


def _above_minimum(blocks: Tensor, numbers: Tensor) -> Tensor:
    """Return what numbers (n, 8, 32) of Q4_K and Q5_K stand for."""
    scales, minima = _scales_of_six_bits(blocks[:, 4:16])
    scales, minima = half(blocks, 0) * scales, half(blocks, 2) * minima
    return (scales.unsqueeze(2) * numbers.float() - minima.unsqueeze(2)).flatten(1)


def _q2_k(blocks: Tensor) -> Tensor:
    groups = blocks[:, :16]
    scales = half(blocks, 80) * (groups & 15).float()
    minima = half(blocks, 82) * (groups >> 4).float()
    numbers = bits(blocks[:, 16:80].unflatten(1, (-1, 32)), 2).reshape(-1, 16, 16)
    return (scales.unsqueeze(2) * numbers.float() - minima.unsqueeze(2)).flatten(1)


def _q3_k(blocks: Tensor) -> Tensor:
    low = nibbles(blocks[:, 96:104].unflatten(1, (1, 8))).flatten(1)
    high = bits(blocks[:, 104:108].unflatten(1, (1, 4)), 2).flatten(1)
    scales = half(blocks, 108) * ((low | high << 4).float() - 32)
    numbers = bits(blocks[:, 32:96].unflatten(1, (-1, 32)), 2).reshape(-1, 16, 16)
    third = bits(blocks[:, :32].unflatten(1, (1, 32)), 1).reshape(-1, 16, 16)
    return (scales.unsqueeze(2) * ((numbers | third << 2).float() - 4)).flatten(1)


def _q4_k(blocks: Tensor) -> Tensor:
    return _above_minimum(blocks, nibbles(blocks[:, 16:].unflatten(1, (-1, 32))).reshape(-1, 8, 32))


def _q5_k(blocks: Tensor) -> Tensor:
    low = nibbles(blocks[:, 48:].unflatten(1, (-1, 32))).reshape(-1, 8, 32)
    fifth = bits(blocks[:, 16:48].unflatten(1, (1, 32)), 1).reshape(-1, 8, 32)
    return _above_minimum(blocks, low | fifth << 4)


def _q6_k(blocks: Tensor) -> Tensor:
    low = nibbles(blocks[:, :128].unflatten(1, (-1, 64))).reshape(-1, 8, 32)
    high = bits(blocks[:, 128:192].unflatten(1, (-1, 32)), 2).reshape(-1, 8, 32)
    scales = half(blocks, 208) * blocks[:, 192:208].contiguous().view(torch.int8).float()
    numbers = ((low | high << 4).float() - 32).reshape(-1, 16, 16)
    return (scales.unsqueeze(2) * numbers).flatten(1)


Q2_K = BlockFormat("Q2_K", 256, 84, (80, 82), _q2_k)
Q3_K = BlockFormat("Q3_K", 256, 110, (108,), _q3_k)
Q4_K = BlockFormat("Q4_K", 256, 144, (0, 2), _q4_k)
Q5_K = BlockFormat("Q5_K", 256, 176, (0, 2), _q5_k)
Q6_K = BlockFormat("Q6_K", 256, 210, (208,), _q6_k)
