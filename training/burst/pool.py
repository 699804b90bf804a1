"""Pairs on disk, made by one process and learned from by another: `training.burst.fill_pool` fills the pool.

Where making a pair costs as much as learning from it, on a CPU, each has a core to itself.

n pairs in a shard, T frames, S side.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange

from vfe.types import VFEError

from .clips import Pairs, to_pairs

HELD_OUT_SHARD = "held_out.npy"
SHARDS = "pairs_*.npy"
JOINED = 3
"""Pairs that follow each other in a shard and in one clip, where they have four frames and one that leads."""
JOINED_FRAMES = 4


def shard_name(number: int) -> str:
    return f"pairs_{number:06}.npy"


def shard_number(path: Path) -> int:
    return int(path.stem.removeprefix("pairs_"))


def write_shard(path: Path, pairs: np.ndarray) -> None:
    """Write pairs (n, 3, T, 3, S, S) uint8, in the order of `Pairs`, aside and then in the place of what is there."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        np.save(file, pairs)
    partial.replace(path)


@dataclass(frozen=True, kw_only=True)
class MixedLengths:
    """The steps in which the clips of a pool are longer or shorter than in others; None for no such steps."""

    join_every: int | None = None
    """Clips of 12 frames are put together of pairs that follow each other."""
    still_every: int | None = None
    """Single frames, as photos and the first frame of a clip are; in steps that have no longer clips."""

    def __post_init__(self) -> None:
        if any(every is not None and every < 1 for every in (self.join_every, self.still_every)):
            raise VFEError(f"join_every={self.join_every}, still_every={self.still_every}: needed at least 1")

    def joined(self, step: int) -> bool:
        """Whether the clips of a step are longer."""
        return self.join_every is not None and step % self.join_every == 0

    def still(self, step: int) -> bool:
        """Whether those of a step are single frames."""
        every = self.still_every
        return every is not None and step % every == 1 % every and not self.joined(step)


class PairPool:
    """Draws pairs from the shards that are there at the moment: what is drawn depends on how far the maker is."""

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        list_sha256: str,
        frames: int | None = None,
        mixed: MixedLengths | None = None,
        seed: int = 0,
    ) -> None:
        """`frames` of each pair are taken, from its end: 4 of 5 leave out the one that stands alone. None: all.

        `mixed` says in which steps clips are longer, or single frames; `seed` what is drawn.
        """
        self.folder, self.device, self.list_sha256, self.seed = folder, device, list_sha256, seed
        self.frames, self.mixed = frames, mixed or MixedLengths()

    def longer(self, step: int) -> bool:
        """Whether the clips of a step are put together of several pairs."""
        return self.mixed.joined(step)

    def __call__(self, step: int, count: int) -> Pairs:
        """The pairs of a step, `count` of them; raises VFEError where the pool is empty."""
        shards = sorted(self.folder.glob(SHARDS))
        if not shards:
            raise VFEError(f"{self.folder} holds no pairs; fill it with python -m training.burst.fill_pool")
        shards = shards[1:] or shards  # the oldest may be gone before it is read
        rng = np.random.default_rng((self.seed, step))
        drawn = []
        for _ in range(count):
            shard = np.load(shards[rng.integers(len(shards))], mmap_mode="r")
            index = int(rng.integers(len(shard)))
            pair = self._cut(shard, index, step)
            drawn.append(pair[..., ::-1] if rng.random() < 0.5 else pair)  # mirrored, where a pair is drawn again
        return self._to_pairs(np.stack(drawn))

    def _cut(self, shard: np.ndarray, index: int, step: int) -> np.ndarray:
        """What a step gets of pair `index` of a shard (n, 3, T, 3, S, S): (3, t, 3, S, S)."""
        if self.mixed.joined(step):
            return joined(shard, index)
        return shard[index, :, :1] if self.mixed.still(step) else shard[index, :, -(self.frames or 0) :]

    def clean_alone(self, step: int, count: int) -> Pairs:
        clean = self(step, count).clean
        return Pairs(clean, clean, clean)

    def held_out(self, count: int) -> Pairs:
        """The first `count` pairs of people that are never trained on."""
        path = self.folder / HELD_OUT_SHARD
        if not path.exists():
            raise VFEError(f"{path} does not exist; fill the pool with python -m training.burst.fill_pool")
        return self._to_pairs(np.load(path)[:count])

    def _to_pairs(self, pairs: np.ndarray) -> Pairs:
        if pairs.shape[1] != len(Pairs._fields):
            raise VFEError(
                f"{self.folder} holds pairs of {pairs.shape[1]} clips, needed {len(Pairs._fields)}: an earlier version "
                "made them; fill another folder with python -m training.burst.fill_pool"
            )
        return to_pairs(*torch.from_numpy(pairs).to(self.device).float().unbind(1))


def joined(shard: np.ndarray, index: int) -> np.ndarray:
    """The clip (3, 12, 3, S, S) of the pairs that follow each other around pair `index` of a shard (n, 3, T, 3, S, S).

    Raises VFEError where pairs are of another length than 4 or 5 frames: only those follow each other in threes.
    """
    if shard.shape[2] not in (JOINED_FRAMES, JOINED_FRAMES + 1):
        raise VFEError(f"pairs have {shard.shape[2]} frames, those of 4 or 5 can be joined; fill another folder")
    first = index - index % JOINED
    return rearrange(shard[first : first + JOINED, :, -JOINED_FRAMES:], "n v t c h w -> v (n t) c h w")
