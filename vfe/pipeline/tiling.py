"""Overlapping spans along an axis, and the weights that cross-fade them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Span(NamedTuple):
    """Half-open range [start, stop) of an axis."""

    start: int
    stop: int


def plan_spans(length: int, size: int, overlap: int, multiple: int = 1) -> list[Span]:
    """Cover an axis of `length` by equal spans of at most `size` that overlap by at least `overlap`.

    `length`, `size` and `overlap` are multiples of `multiple`, and so is every border. The spans are as even as that
    allows: no sliver at the end.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"overlap is {overlap}, needed from 0 to below the size {size}")
    if any(value % multiple for value in (length, size, overlap)):
        raise ValueError(f"length {length}, size {size} and overlap {overlap} need to be multiples of {multiple}")
    count = max(1, -(-(length - overlap) // (size - overlap)))
    width = -(-(length + (count - 1) * overlap) // (count * multiple)) * multiple
    room = (length - width) // multiple
    starts = [round(index * room / max(count - 1, 1)) * multiple for index in range(count)]
    return [Span(start, start + width) for start in starts]


def ramp(length: int) -> Tensor:
    """Return the weights of the later of two spans in their overlap: from above 0 to below 1, (length,) float32."""
    return torch.linspace(0, 1, length + 2)[1:-1]


def fade_weights(spans: Sequence[Span], index: int) -> Tensor:
    """Return the weight of each position of a span, (length,), by which it is cross-faded with its neighbours.

    The sum over all spans has to be divided by, for it is not 1 where three of them meet.
    """
    span = spans[index]
    weight = torch.ones(span.stop - span.start)
    if index > 0:
        overlap = spans[index - 1].stop - span.start
        weight[:overlap] *= ramp(overlap)
    if index + 1 < len(spans):
        overlap = span.stop - spans[index + 1].start
        weight[len(weight) - overlap :] *= ramp(overlap).flip(0)
    return weight
