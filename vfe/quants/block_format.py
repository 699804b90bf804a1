"""What a format of packed numbers is: blocks of so many bytes, each of which stands for so many numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class BlockFormat:
    """One format of blocks."""

    name: str
    """What people call it, such as "Q4_K"."""
    values: int
    """The numbers of a block."""
    bytes: int
    """The bytes of a block."""
    halves: tuple[int, ...]
    """The bytes of a block at which its float16 numbers start: all that it stands for is finite if they are."""
    decode: Callable[[Tensor], Tensor]
    """Unpacks blocks (n, bytes) of uint8 as float32 (n, values), on the device where they are."""

    def blocks_of(self, width: int) -> int:
        """Return the number of blocks of a row of `width` numbers; ValueError where they are not whole blocks."""
        if width % self.values:
            raise ValueError(f"a row of {width} numbers, needed a multiple of {self.values} for {self.name}")
        return width // self.values

    def unpack(self, rows: Tensor) -> Tensor:
        """Return rows of blocks (..., blocks, bytes) as float32 numbers (..., blocks * values)."""
        numbers = self.decode(rows.reshape(-1, self.bytes))
        return numbers.reshape(*rows.shape[:-2], -1)

    def is_finite(self, rows: Tensor) -> bool:
        """Whether rows of blocks (..., blocks, bytes) stand for finite numbers only."""
        blocks = rows.reshape(-1, self.bytes)
        return all(bool(torch.isfinite(half(blocks, start)).all()) for start in self.halves)


def half(blocks: Tensor, start: int) -> Tensor:
    """Return the float16 numbers at byte `start` of blocks (n, bytes) as float32 (n, 1)."""
    return blocks[:, start : start + 2].contiguous().view(torch.float16).float()


def nibbles(packed: Tensor) -> Tensor:
    """Return bytes (n, m, k) as their low 4 bits, then their high ones: (n, m, 2, k), numbers from 0 to 15."""
    return torch.stack((packed & 15, packed >> 4), dim=2)


def bits(packed: Tensor, width: int) -> Tensor:
    """Return bytes (n, m, k) as numbers of `width` bits, the lowest first: (n, m, 8 / width, k)."""
    parts = [packed >> shift & (1 << width) - 1 for shift in range(0, 8, width)]
    return torch.stack(parts, dim=2)
