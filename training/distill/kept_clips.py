"""A fixed number of the clips that a stream draws, so that what a teacher makes of them can be kept."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from ..data.clips import SegmentClips


class KeptClips(IterableDataset[tuple[Tensor, ...]]):
    """Endless batches of a stream's slots, each of which shows one of `clips` clips, drawn by seed, batch and slot.

    Clip number i is a function of the seed and of i alone: segment, degradation, crop and mirroring.
    """

    def __init__(self, stream: SegmentClips[Any], clips: int) -> None:
        """Raises ValueError for fewer than one clip."""
        if clips < 1:
            raise ValueError(f"clips={clips} are to be kept, needed 1 or more")
        self.stream, self.clips = stream, clips

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        info = get_worker_info()
        workers, worker = (info.num_workers, info.id) if info else (1, 0)
        stream = self.stream
        for number in count(stream.start + worker, workers):
            rngs = (np.random.default_rng([stream.seed, number, slot]) for slot in stream.slots)
            crops = [self._clip(int(rng.integers(self.clips))) for rng in rngs]
            yield tuple(torch.stack(parts) for parts in zip(*crops, strict=True))

    def _clip(self, index: int) -> tuple[Tensor, ...]:
        rng = np.random.default_rng([self.stream.seed, index])
        return self.stream.crop(self.stream.segment(rng), rng)
