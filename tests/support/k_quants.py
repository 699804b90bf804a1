"""Quantises to the formats of 256 numbers, which the gguf package only reads: nearest numbers, and no search for more.

For weights x of a group and b bits, Q4_K and Q5_K have steps of (max - min) / (2^b - 1), Q6_K of max|x| / 31.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


def half(values: Floats) -> tuple[Bytes, Floats]:
    """The bytes of float16 numbers (n,), as (n, 2), and what they are."""
    rounded = values.astype(np.float16)
    return rounded.view(np.uint8).reshape(-1, 2), rounded.astype(np.float32)


def divided(a: Floats, b: Floats) -> Floats:
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0)


def with_minimum(blocks: Floats, width: int) -> tuple[list[Bytes], NDArray[np.uint8]]:
    """The head of blocks (n, 256) of Q4_K and Q5_K, 16 bytes, and their numbers (n, 8, 32) of `width` bits."""
    groups = blocks.reshape(-1, 8, 32)
    low = np.minimum(groups.min(2), 0)
    steps = (groups.max(2) - low) / (2**width - 1)
    scale_bytes, d = half(steps.max(1) / 63)
    minimum_bytes, dmin = half((-low).max(1) / 63)
    scales = np.clip(np.rint(divided(steps, np.broadcast_to(d[:, None], steps.shape))), 0, 63).astype(np.uint8)
    minima = np.clip(np.rint(divided(-low, np.broadcast_to(dmin[:, None], low.shape))), 0, 63).astype(np.uint8)
    step = (d[:, None] * scales)[..., None]
    shifted = groups + (dmin[:, None] * minima)[..., None]
    numbers = np.clip(np.rint(divided(shifted, np.broadcast_to(step, shifted.shape))), 0, 2**width - 1)
    first = scales[:, :4] | (scales[:, 4:] >> 4) << 6
    second = minima[:, :4] | (minima[:, 4:] >> 4) << 6
    third = scales[:, 4:] & 15 | (minima[:, 4:] & 15) << 4
    packed = [part.astype(np.uint8) for part in (first, second, third)]
    return [scale_bytes, minimum_bytes, *packed], numbers.astype(np.uint8)


def low_halves(numbers: NDArray[np.uint8]) -> Bytes:
    """The low 4 bits of numbers (n, 8, 32): two groups in 32 bytes."""
    pairs = (numbers & 15).reshape(-1, 4, 2, 32)
    return (pairs[:, :, 0] | pairs[:, :, 1] << 4).astype(np.uint8).reshape(len(numbers), -1)


def q4_k(blocks: Floats) -> Bytes:
    head, numbers = with_minimum(blocks, 4)
    return np.concatenate([*head, low_halves(numbers)], axis=1)


def q5_k(blocks: Floats) -> Bytes:
    head, numbers = with_minimum(blocks, 5)
    fifth = np.packbits(numbers >> 4, axis=1, bitorder="little").reshape(-1, 32)
    return np.concatenate([*head, fifth, low_halves(numbers)], axis=1)


def q6_k(blocks: Floats) -> Bytes:
    groups = blocks.reshape(-1, 16, 16)
    steps = np.abs(groups).max(2) / 31
    scale_bytes, d = half(steps.max(1) / 127)
    scales = np.clip(np.rint(divided(steps, np.broadcast_to(d[:, None], steps.shape))), -128, 127).astype(np.int8)
    step = np.broadcast_to((d[:, None] * scales)[..., None], groups.shape)
    numbers = (np.clip(np.rint(divided(groups, step)), -32, 31) + 32).astype(np.uint8)
    halves = numbers.reshape(-1, 2, 4, 32)  # each half: 4 rows of 32
    low = halves[:, :, :2] & 15 | (halves[:, :, 2:] & 15) << 4
    high = halves >> 4
    high = high[:, :, 0] | high[:, :, 1] << 2 | high[:, :, 2] << 4 | high[:, :, 3] << 6
    n = len(blocks)
    return np.concatenate([low.reshape(n, 128), high.reshape(n, 64), scales.view(np.uint8), scale_bytes], axis=1)


K_FORMATS = {"Q4_K": q4_k, "Q5_K": q5_k, "Q6_K": q6_k}
