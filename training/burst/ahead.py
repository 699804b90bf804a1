"""Pairs made ahead by threads, while an accelerator learns from those that are there.

Each thread makes a batch at a time: the accelerator moves, blurs and restores, and waits in between for encoders on
the CPU's cores. Learning draws from a ring of the pairs made last, which are not in the order of their making: what is
drawn depends on how far the threads are. A pair is used `reuse` times on average.

B batch, T frames, S side; pairs (n, 3, T, 3, S, S) uint8 in the order of `Pairs`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from types import TracebackType

import torch
from torch import Tensor

from .clips import HELD_OUT_SEED, Pairs, damage_and_restore, damage_restore_and_enlarge, make_pairs, to_pairs
from .damage import Damage, DamageConfig
from .damage.chain import CodecStep
from .dice import Dice
from .frame_part import FramePart
from .motion import ClipConfig, ClipMaker
from .packed import PackedAlbum

FRAMES = 13
"""The length of the clips in the ring, of which a step gets a part."""
LENGTHS = (12, 8, 12, 4, 12, 5, 12, 8, 12, 1)
"""Frames of the clips of each step, in turn: 4n come from the middle of a clip, 4n + 1 from its beginning."""
SMALL_EVERY = 3
"""Of so many batches the faces of one are small in their frames, which are restored before the faces are enlarged."""


@dataclass(frozen=True, kw_only=True)
class AheadConfig:
    """How pairs are made, how many are kept, and how often each is used."""

    batch: int = 48
    """Pairs that are made together."""
    kept: int = 1536
    reuse: float = 4.0
    video_share: float = 0.4
    damage: DamageConfig = field(default_factory=DamageConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch < 1 or self.kept < self.batch or self.reuse <= 0:
            raise ValueError(f"batch needs to be at least 1, reuse above 0, kept at least batch: {self}")


class BatchMaker:
    """Makes batches of pairs of the people to train on, or of those held out: a function of the seed and the number."""

    def __init__(
        self,
        album: PackedAlbum,
        config: AheadConfig,
        frame_part: FramePart,
        codec: CodecStep,
        *,
        held_out: bool = False,
    ) -> None:
        damage = replace(config.damage, clean_share=0.0) if held_out else config.damage
        clips = ClipConfig(frames=FRAMES, video_share=config.video_share)
        self._clean = ClipMaker(album, clips, held_out=held_out)
        self._large = damage_and_restore(Damage(damage, codec), frame_part)
        self._small = damage_restore_and_enlarge(damage, codec, frame_part)
        self._device = album.pictures.device
        self._stream = None if self._device.type != "cuda" else torch.cuda.Stream(self._device)
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream())  # the weights may be on their way still

    def __call__(self, seed: int, number: int, count: int) -> Tensor:
        """`count` pairs (count, 3, T, 3, S, S).

        They are made on a stream of their own: to wait for them is not to wait for what learns.
        """
        if self._stream is None:
            return self._made(seed, number, count)
        with torch.cuda.stream(self._stream):
            made = self._made(seed, number, count)
        self._stream.synchronize()
        return made

    def _made(self, seed: int, number: int, count: int) -> Tensor:
        dice = Dice(count, (seed, number), self._device)
        degrade = self._large if number % SMALL_EVERY else self._small
        return torch.stack(make_pairs(self._clean, degrade, dice), 1).byte()


class PairsAhead:
    """The pairs of a step out of a ring that threads fill; a `PairSource`, to be closed at the end (`with`)."""

    def __init__(
        self, album: PackedAlbum, config: AheadConfig, makers: Sequence[BatchMaker], held_out: BatchMaker
    ) -> None:
        """Each of the `makers` has a thread of its own."""
        self.config, self.list_sha256 = config, album.list_sha256
        self._makers: SimpleQueue[BatchMaker] = SimpleQueue()
        for maker in makers:
            self._makers.put(maker)
        self._held_out = held_out
        self._device = album.pictures.device
        side = album.side
        self._ring = torch.empty(config.kept, 3, FRAMES, 3, side, side, dtype=torch.uint8, device=self._device)
        self._filled = self._next = self._begun = 0
        self._drawn = 0.0
        self._threads = ThreadPoolExecutor(len(makers))
        self._most = 2 * len(makers)
        self._making: deque[Future[Tensor]] = deque()

    def __enter__(self) -> PairsAhead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def __call__(self, step: int, count: int) -> Pairs:
        """The pairs of a step, `count` of them."""
        self._replenish(count)
        generator = torch.Generator().manual_seed(hash((self.config.seed, step)) % 2**63)
        chosen = torch.randint(self._filled, (count,), generator=generator).to(self._device)
        frames = LENGTHS[step % len(LENGTHS)]
        starts = (FRAMES - frames) // 4 + 1
        first = 4 * int(torch.randint(starts, (), generator=generator))
        first = min(first + 1, FRAMES - frames) if frames % 4 == 0 else 0
        pairs = self._ring[:, :, first : first + frames][chosen].float()
        mirrored = torch.rand(count, generator=generator).to(self._device) < 0.5
        pairs = torch.where(mirrored.view(-1, 1, 1, 1, 1, 1), pairs.flip(-1), pairs)
        return to_pairs(*pairs.unbind(1))

    def longer(self, step: int) -> bool:  # noqa: ARG002 - a batch has as many clips whatever their length
        return False

    def clean_alone(self, step: int, count: int) -> Pairs:
        clean = self(step, count).clean
        return Pairs(clean, clean, clean)

    def held_out(self, count: int) -> Pairs:
        """`count` pairs of people that are never trained on, the same at each call, of two latent frames."""
        made = self._held_out(HELD_OUT_SEED, 1, count - count // 2)  # half of them small
        made = torch.cat([made, self._held_out(HELD_OUT_SEED, 0, count // 2)]) if count > 1 else made
        return to_pairs(*made[:, :, 1:9].float().unbind(1))

    def _replenish(self, count: int) -> None:
        """Begin as many batches as what was drawn calls for, and keep those that are done; wait only for the first."""
        self._drawn += count / self.config.reuse
        wanted = self._most + int(self._drawn / self.config.batch)
        while self._begun < wanted and len(self._making) < self._most:
            self._making.append(self._threads.submit(self._make, self._begun))
            self._begun += 1
        while self._making and (self._filled < count or self._making[0].done()):
            self._keep(self._making.popleft().result())

    def _make(self, number: int) -> Tensor:
        maker = self._makers.get()
        try:
            return maker(self.config.seed, number, self.config.batch)
        finally:
            self._makers.put(maker)

    def _keep(self, pairs: Tensor) -> None:
        if pairs.is_cuda:
            pairs.record_stream(torch.cuda.current_stream())
        places = (self._next + torch.arange(len(pairs))) % len(self._ring)
        self._ring[places.to(self._device)] = pairs
        self._next = (self._next + len(pairs)) % len(self._ring)
        self._filled = min(self._filled + len(pairs), len(self._ring))
