"""Where shots begin, found without looking far ahead; flashes, fades and fast motion are no cuts.

A frame is compared with the last one by the share of its structure that no nearby part of the other, made brighter or
darker, explains. At a cut this share is large, larger than at the frames around it, and stays large: after a flash the
picture before it is back. The method is our own.

h w sides of a thumbnail, N M blocks of it, P positions at which a block is looked for, k pixels of a block.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ...luma import LUMA

THUMBNAIL_SIDE = 64
BLOCK_SIDE = 12
SEARCH_RADIUS = (6, 12)
"""How many pixels of the thumbnail, down and across, the picture may move from frame to frame."""
NOISE_STD = 0.01
"""The standard deviation, of pixels in [-1, 1], that is taken for noise."""
SEARCHED_SHARE = 0.07
"""Shares below this need no search for motion: less than `least` / `ratio`, they cannot decide on a cut."""
STRUCTURE_LIMIT = 0.5
"""A block with more structure than this part of the mean counts only so much."""
BLANK_STD = 0.04
"""The standard deviation of a picture on which nothing is to be seen."""


@dataclass(frozen=True, kw_only=True)
class CutConfig:
    """What is called a cut. Raises ValueError for values that make no sense."""

    least: float = 0.15
    """The least share of the structure that is new at a cut; twice as much is needed after black, where time may have
    passed.
    """
    ratio: float = 2.0
    """How many times larger a cut is than the changes around it: fast motion goes on, a cut is one moment."""
    around: int = 4
    """How many frames before and after a cut are compared with it; it is also the length of the longest flash."""

    def __post_init__(self) -> None:
        if not self.ratio * SEARCHED_SHARE <= self.least < 1 or self.ratio < 1 or self.around < 1:
            raise ValueError(f"{self}: needed {SEARCHED_SHARE} * ratio <= least < 1, ratio >= 1 and around >= 1")


class Decided(NamedTuple):
    """A frame of which it is known now whether a shot begins with it."""

    frame: Tensor
    cut: bool


class _Waiting(NamedTuple):
    frame: Tensor
    small: Tensor
    change: float
    blank: bool  # there is nothing to be seen


class CutFinder:
    """Takes frames (3, H, W) and gives them back with the word on a cut.

    It does so at once, or up to `around` frames later where it needs to see what comes next.
    """

    def __init__(self, config: CutConfig | None = None) -> None:
        self.config = config or CutConfig()
        self._last: Tensor | None = None  # thumbnail of the last frame on which there was something
        self._was_black = False
        self._before: deque[float] = deque(maxlen=self.config.around)  # changes at the frames that were given back
        self._reference: Tensor | None = None  # the thumbnail before the first waiting frame
        self._waiting: deque[_Waiting] = deque()

    def push(self, frame: Tensor) -> list[Decided]:
        """Take the next frame, and return the frames that are decided by it."""
        small = thumbnail(frame)
        blank = float(small.std()) < BLANK_STD
        change = 0.0 if blank or self._last is None else new_share(self._last, small)
        if self._was_black:
            change /= 2
        if not self._waiting:
            self._reference = self._last
        if not blank:
            self._last = small
        self._was_black = blank and float(small.mean()) < 0
        self._waiting.append(_Waiting(frame, small, change, blank))
        return self._decide(flush=False)

    def finish(self) -> list[Decided]:
        """Return the frames that still wait."""
        return self._decide(flush=True)

    def _decide(self, flush: bool) -> list[Decided]:
        decided: list[Decided] = []
        while self._waiting:
            first, *after = self._waiting
            suspicious = self._suspicious(first.change)
            if suspicious and len(after) < self.config.around and not flush:
                break
            flash = self._frames_until_back(after) if suspicious else 0
            cut = suspicious and not flash and self._stands_out(first, after)
            decided += [self._give_back(cut), *(self._give_back(False) for _ in range(flash))]
        return decided

    def _give_back(self, cut: bool) -> Decided:
        given = self._waiting.popleft()
        self._before.append(0.0 if cut else given.change)
        if not given.blank:
            self._reference = given.small
        return Decided(given.frame, cut)

    def _suspicious(self, change: float) -> bool:
        return change >= max(self.config.least, self.config.ratio * max(self._before, default=0.0))

    def _stands_out(self, first: _Waiting, after: list[_Waiting]) -> bool:
        """Return whether smaller changes follow, and anything at all is shown then."""
        smaller = all(first.change >= self.config.ratio * later.change for later in after)
        return smaller and (not after or not all(later.blank for later in after))

    def _frames_until_back(self, after: list[_Waiting]) -> int:
        """Return how many of the frames after a suspicious one pass until the picture before it is back; 0:
        it is not.
        """
        assert self._reference is not None  # a first frame has no change
        for count, later in enumerate(after, start=1):
            if not later.blank and new_share(self._reference, later.small) < self.config.least:
                return count
        return 0


def thumbnail(frame: Tensor) -> Tensor:
    """Return the brightness of a frame (3, H, W) made small: (h, w)."""
    height, width = frame.shape[-2:]
    scale = THUMBNAIL_SIDE / max(height, width)
    size = [max(round(height * scale), BLOCK_SIDE), max(round(width * scale), BLOCK_SIDE)]
    small = F.interpolate(frame[None].float(), size, mode="area")[0]
    return (small * small.new_tensor(LUMA)[:, None, None]).sum(0).cpu()


def new_share(first: Tensor, second: Tensor) -> float:
    """Return how much of the structure of one thumbnail (h, w) is not in the other, 0 to about 1.

    It is the smaller of both ways. Each block may have moved by SEARCH_RADIUS and be brighter or darker; its contrast
    follows that of the whole picture.
    """
    return min(_unexplained(first, second), _unexplained(second, first))


def _unexplained(old: Tensor, new: Tensor) -> float:
    rows, columns = new.shape[0] // BLOCK_SIDE, new.shape[1] // BLOCK_SIDE
    down, across = SEARCH_RADIUS
    gain = ((new.var() + NOISE_STD**2) / (old.var() + NOISE_STD**2)).sqrt()
    wanted = _flat(
        new[: rows * BLOCK_SIDE, : columns * BLOCK_SIDE]
        .unfold(0, BLOCK_SIDE, BLOCK_SIDE)
        .unfold(1, BLOCK_SIDE, BLOCK_SIDE)
    )
    still = _flat(
        old[: rows * BLOCK_SIDE, : columns * BLOCK_SIDE]
        .unfold(0, BLOCK_SIDE, BLOCK_SIDE)
        .unfold(1, BLOCK_SIDE, BLOCK_SIDE)
    )
    unmoved = _left(wanted, still[:, :, None], gain)
    if unmoved < SEARCHED_SHARE:
        return unmoved
    padded = F.pad(old[None, None], (across, across, down, down), mode="replicate")[0, 0]
    around = padded.unfold(0, BLOCK_SIDE + 2 * down, BLOCK_SIDE).unfold(1, BLOCK_SIDE + 2 * across, BLOCK_SIDE)[
        :rows, :columns
    ]
    candidates = _flat(around.unfold(2, BLOCK_SIDE, 1).unfold(3, BLOCK_SIDE, 1))
    return _left(wanted, rearrange(candidates, "n m j i k -> n m (j i) k"), gain)


def _flat(blocks: Tensor) -> Tensor:
    """Return blocks (..., y, x) as vectors (..., k) without their mean."""
    vectors = rearrange(blocks, "... y x -> ... (y x)")
    return vectors - vectors.mean(-1, keepdim=True)


def _left(wanted: Tensor, candidates: Tensor, gain: Tensor) -> float:
    """Return the share of blocks (N, M, k) that the best of (N, M, P, k), at a contrast of about `gain`, leaves
    unexplained.
    """
    common = torch.einsum("nmpk,nmk->nmp", candidates, wanted)
    energy = candidates.square().sum(-1)
    gains = torch.minimum(torch.maximum(common / (energy + 1e-6), gain / 1.5), gain * 1.5)
    own = wanted.square().sum(-1)
    left = (own[..., None] - 2 * gains * common + gains.square() * energy).amin(-1).clamp(min=0)
    counted = torch.minimum(
        own, own.mean() * STRUCTURE_LIMIT
    )  # few blocks, as those of a caption, are not to outweigh all others
    return float((left / own.clamp(min=1e-9) * counted).sum() / (counted.sum() + NOISE_STD**2 * wanted.numel()))
