"""A fixed number of degraded pairs of every clip and portrait, as pixels, or as latents that are encoded once.

T frames, H W sides, t h w latent grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info
from tqdm import tqdm

from vfe.degradations.protocol import Family

from ..data.clips import DataConfig, FaceClips, Item, list_items
from ..data.kept_tensors import file_hash
from ..run.stage import Slots
from .latent_cache import LatentFiles, LatentPair, key_of

# What of the data's config a single pair depends on.
PAIR_FIELDS = ("frames", "side", "segment", "face_share")


class _OneItem(FaceClips):
    """`FaceClips` of a single item: how a pair is made of a clip stands there alone."""

    def __init__(self, item: Item, config: DataConfig, degradation: Family) -> None:
        self.config, self.degradation = config, degradation
        self._videos, self._images = ([], [item]) if item.is_image else ([item], [])

    def pair(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        return self.crop(self.segment(rng), rng)


class FixedPairs:
    """Pairs by number. Each is a function of its clip's bytes, its variant, the seed and the configs, and of nothing
    else, so that the pairs of an item stay the same when others join or leave the data."""

    def __init__(self, config: DataConfig, degradation: Family, seed: int, variants: int) -> None:
        self.config, self.degradation, self.seed, self.variants = config, degradation, seed, variants
        self.items = list_items(config)

    def __len__(self) -> int:
        return len(self.items) * self.variants

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        """uint8 (degraded, clean) of (T, H, W, 3) and a bool mask (T, H, W)."""
        item, variant = self._item_and_variant(index)
        key = [self.seed, int(file_hash(item.path), 16), variant]
        return _OneItem(item, self.config, self.degradation).pair(np.random.default_rng(key))

    def facts(self, index: int) -> dict[str, Any]:
        """All that a pair depends on, as plain values."""
        item, variant = self._item_and_variant(index)
        return {
            "clip": file_hash(item.path),
            "label": file_hash(item.label) if item.label else None,
            "image": item.is_image,
            "data": {name: getattr(self.config, name) for name in PAIR_FIELDS},
            "degradation": asdict(self.degradation),  # type: ignore[call-overload] # every family is a dataclass
            "seed": self.seed,
            "variant": variant,
        }

    def draw(self, rng: np.random.Generator) -> int:
        """Draw the number of a pair, of a portrait as often as `image_share` says."""
        images = [index for index, item in enumerate(self.items) if item.is_image]
        videos = [index for index, item in enumerate(self.items) if not item.is_image]
        pool = images if images and (not videos or rng.random() < self.config.image_share) else videos
        return pool[int(rng.integers(len(pool)))] * self.variants + int(rng.integers(self.variants))

    def _item_and_variant(self, index: int) -> tuple[Item, int]:
        item, variant = divmod(index, self.variants)
        return self.items[item], variant


class CachedPairs:
    """The latents of fixed pairs, stored in files. `fill` makes what is missing, and only then can they be read."""

    def __init__(self, pairs: FixedPairs, vae_hash: str, files: LatentFiles) -> None:
        self.pairs, self.vae_hash, self.files = pairs, vae_hash, files

    def key(self, index: int) -> str:
        return key_of(self.vae_hash, self.files.dtype, self.pairs.facts(index))

    def __getitem__(self, index: int) -> LatentPair:
        """Raises VFEError where `fill` has not made it, or its file is damaged."""
        return self.files.get(self.key(index))

    def fill(self, encode: Callable[[Sequence[Tensor]], LatentPair], share: float = 0.0) -> int:
        """Encode the pairs that are missing, and return how many those were.

        `encode` makes the latents of a pair from its tensors with a first axis of 1. `share` in [0, 1) is where to
        begin: processes that begin at different pairs help each other.
        """
        first, made = int(share * len(self.pairs)), 0
        for number in tqdm(range(len(self.pairs)), desc="latents", unit="pair", leave=False, disable=None):
            index = (first + number) % len(self.pairs)
            key = self.key(index)
            if key not in self.files:
                pair = encode([part[None] for part in self.pairs[index]])
                self.files.put(key, LatentPair(*(part[0].cpu() for part in pair)))
                made += 1
        return made


class PairBatches(IterableDataset[tuple[Tensor, ...]]):
    """Endless batches from number `start` on: the clips of `slots`, each a pair that seed, batch and slot choose.

    Of pixels, or of latents where they are `cached`.
    """

    def __init__(self, pairs: FixedPairs, cached: CachedPairs | None, start: int, slots: Slots) -> None:
        self.pairs, self.start, self.slots = pairs, start, slots
        self.source: FixedPairs | CachedPairs = cached or pairs

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        info = get_worker_info()
        workers, worker = (info.num_workers, info.id) if info else (1, 0)
        for number in count(self.start + worker, workers):
            rngs = (np.random.default_rng([self.pairs.seed, number, slot]) for slot in self.slots)
            clips = [self.source[self.pairs.draw(rng)] for rng in rngs]
            yield tuple(torch.stack(parts) for parts in zip(*clips, strict=True))
