"""Fingerprints of tensors: whether two have the same contents is told by a few bytes, several times as fast as SHA-256.

It is a multilinear hash of chance, not one against attackers: each block of eight bytes x_i counts in two sums,
sum a_i x_i and sum b_i (x_i >> 32) mod 2^64, with random odd a_i and b_i. Blocks that differ have the same sums by a
chance of 2^-33 at most, where they differ in their highest bits alone, and of 2^-64 else.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

WORDS = 1 << 16
"""The eight-byte words of a part that has sums of its own: with its factors it stays in a processor's cache."""
BYTES = 8


def fingerprint(tensor: Tensor) -> bytes:
    """Return what tells a tensor from others: its contents, shape, number format and order in memory."""
    order = memory_order(tensor)
    head = f"{tuple(tensor.shape)} {tensor.dtype} {order}".encode()
    flat = tensor.detach().permute(order).cpu().contiguous().reshape(-1).view(torch.uint8)
    if flat.storage_offset() % BYTES:  # words begin at multiples of their length
        flat = flat.clone()
    whole = flat.numel() // BYTES * BYTES
    sums = [part for words in flat[:whole].view(torch.int64).split(WORDS) for part in _sums(words)]
    tail = flat[whole:].numpy().tobytes()
    return head + (torch.stack(sums).numpy().tobytes() if sums else b"") + tail


def memory_order(tensor: Tensor) -> list[int]:
    """Return the axes of a tensor in the order in which it lies in memory: most are read so without a copy."""
    strides = tensor.stride()
    return sorted(range(tensor.ndim), key=lambda axis: -strides[axis])


def _sums(words: Tensor) -> tuple[Tensor, Tensor]:
    first, second = (factors[: len(words)] for factors in _factors())
    return (words * first).sum(), ((words >> 32) * second).sum()


@cache
def _factors() -> tuple[Tensor, Tensor]:
    """Return two rows of random odd numbers, the same in every process."""
    chance = torch.Generator().manual_seed(0)
    limits = torch.iinfo(torch.int64)
    rows = torch.randint(limits.min, limits.max, (2, WORDS), dtype=torch.int64, generator=chance)
    first, second = (rows | 1).unbind(0)
    return first, second
