"""Runs of blocks that one can stand for, found by linear probes (PPCL, Ma et al. 2025, arXiv 2511.16156, abstract).

    R2(i, j) = how much of the tokens after block j is a linear map of those before block i
    interval from i: up to the last j with R2(i, j) >= threshold and no step R2(i, m - 1) - R2(i, m) > drop on the way

Linear probes and the trend of first differences of a similarity are the paper's (its similarity is said to be CKA,
which we have not read there). Our own: R2 of the probe is the similarity, it is fitted to half of the clips and scored
by the others, each channel counts equally, and the longest intervals are taken first.

B clips, L tokens of a clip, D width, N blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

RIDGE = 1e-6  # of a channel's variance: tokens may lie in fewer dimensions than D
FLAT = 1e-12  # the variance below which a channel says nothing


class Interval(NamedTuple):
    """Blocks `first` to `last`, both included, which one block stands for; one alone, which stays where it is."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """The number of blocks."""
        return self.last - self.first + 1


@dataclass(frozen=True, kw_only=True)
class IntervalSearch:
    """What counts as an interval."""

    threshold: float = 0.9
    """The least R2 from the tokens before its first block to those after its last."""
    drop: float = 0.05
    """The most that R2 may lose by one block more."""
    odd_only: bool = False
    """Whether an even number of blocks has to go, so that all blocks after it keep their shifted or still windows."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1 or self.drop < 0:
            raise ValueError(f"threshold={self.threshold}, drop={self.drop}, needed above 0 to 1, and 0 or more")


@torch.no_grad()
def linear_probes(states: Sequence[Tensor]) -> Tensor:
    """R2 (N, N) of the tokens after block j from those before block i, below 0 where a constant is better.

    `states` are the tokens (B, L, D) before each block, and after the last. Entries with j < i are 0. Raises ValueError
    for fewer than two clips, or fewer tokens than channels in half of them.
    """
    clips, tokens, width = states[0].shape
    half = clips // 2
    if half * tokens <= width:
        raise ValueError(
            f"{clips} clips of {tokens} tokens: half of them need more than the {width} channels; take more clips"
        )
    fitted = [state[:half].flatten(0, 1).double() for state in states]
    scored = [state[half:].flatten(0, 1).double() for state in states]
    found = torch.zeros(len(states) - 1, len(states) - 1, dtype=torch.float64)
    for i in range(len(states) - 1):
        weight, mean = _least_squares(fitted[i], torch.cat(fitted[i + 1 :], 1))
        predicted = (scored[i] - mean) @ weight
        for j, part in enumerate(predicted.split(width, 1), start=i):
            found[i, j] = _explained(part + fitted[j + 1].mean(0), scored[j + 1])
    return found


def find_intervals(probes: Tensor, search: IntervalSearch) -> tuple[Interval, ...]:
    """The longest intervals of two blocks or more, the surer one of equal ones, none in another; in their order."""
    candidates = [found for i in range(len(probes)) for found in _from(probes, i, search)]
    candidates.sort(key=lambda found: (-found.length, -float(probes[found.first, found.last])))
    chosen: list[Interval] = []
    for found in candidates:
        if all(found.last < other.first or other.last < found.first for other in chosen):
            chosen.append(found)
    return tuple(sorted(chosen))


def check_intervals(intervals: Sequence[Interval]) -> None:
    """Raise ValueError where intervals are not of two blocks or more, or not in order and apart."""
    if any(first < 0 or last <= first for first, last in intervals):
        raise ValueError(f"intervals are {_listed(intervals)}, needed [first, last] with 0 <= first < last")
    if any(one.last >= other.first for one, other in pairwise(intervals)):
        raise ValueError(f"intervals are {_listed(intervals)}, needed in order and apart from each other")


def _listed(intervals: Sequence[Interval]) -> list[list[int]]:
    return [list(interval) for interval in intervals]


def _from(probes: Tensor, first: int, search: IntervalSearch) -> list[Interval]:
    """All intervals that begin at a block."""
    found = []
    for last in range(first + 1, len(probes)):
        if float(probes[first, last - 1] - probes[first, last]) > search.drop:
            break
        interval = Interval(first, last)
        if float(probes[first, last]) >= search.threshold and (interval.length % 2 or not search.odd_only):
            found.append(interval)
    return found


def _least_squares(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """W of y - mean(y) = (x - mean(x)) W, and mean(x)."""
    mean = x.mean(0)
    centred = x - mean
    gram = centred.T @ centred
    ridge = RIDGE * gram.diagonal().mean().clamp_min(FLAT)
    gram.diagonal().add_(ridge)
    return torch.linalg.solve(gram, centred.T @ (y - y.mean(0))), mean


def _explained(predicted: Tensor, true: Tensor) -> float:
    """R2 as a mean over the channels that vary."""
    spread = (true - true.mean(0)).square().mean(0)
    lost = (predicted - true).square().mean(0)[spread > FLAT] / spread[spread > FLAT]
    return float(1 - lost.mean()) if len(lost) else 1.0
