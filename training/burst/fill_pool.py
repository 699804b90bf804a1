"""Fill a pool of pairs, while training learns from it.

    python -m training.burst.fill_pool --data runs/burst/data --out runs/burst/pool --minutes 60

What training.burst.run reads with `--pool`: clean clips of aligned faces, and what whole frames of them become that
were damaged, by real encoders, and then restored by the bundled part for frames. For faces that are small in their
frame it restores the small frame, and the crop is enlarged afterwards, as when a clip is restored. When the pool is
full, new shards take the place of the oldest.
"""

from __future__ import annotations

import argparse
import sys
from itertools import count
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from vfe.own_process import keep_freed_memory
from vfe.types import VFEError

from .clips import HELD_OUT_SEED, POOL_SEED, damage_and_restore, damage_restore_and_enlarge, make_pairs
from .damage import Damage, DamageConfig
from .damage.encoded import RealCodec
from .dice import Dice
from .frame_part import BUNDLED, FramePart, load_frame_part
from .motion import ClipConfig, ClipMaker
from .packed import PackedAlbum, read_packed_album
from .pool import HELD_OUT_SHARD, SHARDS, shard_name, shard_number, write_shard

SMALL_FACES = 0.35  # of the clips: the frame is restored before the face is enlarged
LONGEST = 13  # frames that are damaged together, of which a pair has some
PAIRS_OF_SHARD = 24
HELD_OUT_FRAMES = 5


class PoolMaker:
    """Makes pairs (n, 3, T, 3, S, S) uint8 of one clean clip at a time."""

    def __init__(self, album: PackedAlbum, frame_part: FramePart, seed: int, *, held_out: bool = False) -> None:
        self.seed, self.device = seed, album.pictures.device
        self._clean = ClipMaker(album, ClipConfig(frames=LONGEST), held_out=held_out)
        codec = RealCodec(seed)
        config = DamageConfig(clean_share=0.0) if held_out else DamageConfig()
        self._large = damage_and_restore(Damage(config, codec), frame_part)
        self._small = damage_restore_and_enlarge(config, codec, frame_part)

    def __call__(self, number: int, frames: int) -> np.ndarray:
        """The pairs of clip `number`, as many as it has room for: those of 4n + 1 frames share their outer ones, as the
        first of each stands alone in the codec, and those of 4n frames begin after the clip's first frame."""
        dice = Dice(1, (self.seed, number), self.device)
        degrade = self._small if bool(dice.chance(SMALL_FACES)) else self._large
        clips = torch.cat(make_pairs(self._clean, degrade, dice)).byte()
        starts = range(frames % 4 == 0, LONGEST - frames + 1, max(frames - frames % 4, 4))
        return torch.stack([clips[:, start : start + frames] for start in starts]).numpy()


def fill(maker: PoolMaker, out: Path, frames: int, shards: int, minutes: float) -> None:
    """Write shard after shard until the time is up, from the last one that is there on; `shards` of them are kept."""
    started = perf_counter()
    for number in count(1 + max(map(shard_number, out.glob(SHARDS)), default=-1)):
        if perf_counter() - started > 60 * minutes:
            return
        pairs: list[np.ndarray] = []
        clips = count(number * PAIRS_OF_SHARD)
        while len(pairs) < PAIRS_OF_SHARD:
            pairs += list(maker(next(clips), frames))
        write_shard(out / shard_name(number), np.stack(pairs[:PAIRS_OF_SHARD]))
        (out / shard_name(number - shards)).unlink(missing_ok=True)
        print(f"shard {number}, {(perf_counter() - started) / 60:.1f} minutes", file=sys.stderr, flush=True)


def hold_out(maker: PoolMaker, out: Path, pairs: int) -> None:
    """Write the pairs of people that are never trained on, once."""
    if not (out / HELD_OUT_SHARD).exists():
        firsts = [maker(number, HELD_OUT_FRAMES)[:1] for number in range(pairs)]
        write_shard(out / HELD_OUT_SHARD, np.concatenate(firsts))


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--frame-part", type=Path, default=BUNDLED, help="a lite file (default: the bundled one)")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--frames", type=int, default=4, help="of a pair: at most 13, 4n + 1 or 4n")
    parser.add_argument("--shards", type=int, default=160, help="kept, of 24 pairs and 14 MB for each frame")
    parser.add_argument("--held-out", type=int, default=24, help="pairs of people that are never trained on")
    return parser


def main(arguments: list[str] | None = None) -> None:
    args = parser().parse_args(arguments)
    if not 1 <= args.frames <= LONGEST or args.frames % 4 > 1 or args.shards < 2:
        sys.exit(f"--frames {args.frames}, --shards {args.shards}: needed 4n or 4n + 1 up to {LONGEST}, and at least 2")
    if arguments is None:
        keep_freed_memory()
    device = torch.device("cpu")
    try:
        album = read_packed_album(args.data, device)
        frame_part = load_frame_part(args.frame_part, device)
    except VFEError as error:
        sys.exit(str(error))
    args.out.mkdir(parents=True, exist_ok=True)
    hold_out(PoolMaker(album, frame_part, HELD_OUT_SEED, held_out=True), args.out, args.held_out)
    fill(PoolMaker(album, frame_part, POOL_SEED), args.out, args.frames, args.shards, args.minutes)


if __name__ == "__main__":
    main()
