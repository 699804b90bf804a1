"""Pairs of degraded and clean clips of aligned faces, made on the device that trains.

B batch, T frames, S side; video (B, 3, T, S, S) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from .damage import Damage, DamageConfig
from .damage.camera import Camera
from .damage.chain import CodecStep
from .damage.quantise import Codec
from .dice import Dice
from .frame_part import FramePart
from .motion import ClipConfig, ClipMaker
from .packed import PackedAlbum

POOL_SEED, HELD_OUT_SEED = 1, 2


class Pairs(NamedTuple):
    """Degraded clips and the clean clips that they were made of, (B, 3, T, S, S) in [-1, 1] each."""

    degraded: Tensor
    """What is to be restored: damaged clips, as the part for frames, if any, restored them already."""
    clean: Tensor
    original: Tensor
    """The damaged clips as they were before."""


class PairSource(Protocol):
    """What makes pairs, or finds them made."""

    list_sha256: str
    """The hash of the list of items that they are made of."""

    def __call__(self, step: int, count: int) -> Pairs:
        """The pairs of a step, `count` of them."""

    def longer(self, step: int) -> bool:
        """Whether the clips of a step are several times as long as those of other steps."""

    def clean_alone(self, step: int, count: int) -> Pairs:
        """The clean clips of a step, which stand on both sides of the pairs: codebooks learn from them alone."""


@dataclass(frozen=True, kw_only=True)
class PairConfig:
    """How pairs are made."""

    clips: ClipConfig
    damage: DamageConfig = field(default_factory=DamageConfig)
    still_every: int = 5
    """Every so many steps, the batch is of single frames, as the first frame of a clip is one."""

    def __post_init__(self) -> None:
        if self.still_every < 1:
            raise ValueError(f"still_every={self.still_every}: needed at least 1")


class PairMaker:
    """Makes the pairs of each step, of the people to train on: a function of the seed and the step."""

    def __init__(self, album: PackedAlbum, config: PairConfig, seed: int, frame_part: FramePart | None = None) -> None:
        """`frame_part` restores what was damaged before it becomes the degraded half of a pair."""
        self.config, self.seed, self.device = config, seed, album.pictures.device
        self.list_sha256 = album.list_sha256
        self._clean = ClipMaker(album, config.clips)
        self._degrade = damage_and_restore(Damage(config.damage), frame_part)

    def __call__(self, step: int, count: int) -> Pairs:
        """The pairs of a step, `count` of them.

        Clips of an even number of frames have no frame that stands alone in front, as a whole clip has in the codec.
        There, every `still_every`-th step has single frames instead, so that a restorer learns both.
        """
        pairs = to_pairs(*make_pairs(self._clean, self._degrade, Dice(count, (self.seed, step), self.device)))
        if step % self.config.still_every or pairs.clean.shape[2] % 2:
            return pairs
        return Pairs(*(video[:, :, :1] for video in pairs))

    def longer(self, step: int) -> bool:  # noqa: ARG002 - all are equally long
        return False

    def clean_alone(self, step: int, count: int) -> Pairs:
        """The clean clips of a step, which stand on both sides of the pairs: codebooks learn from them alone."""
        video = self._clean(Dice(count, (self.seed, step), self.device))
        return to_pairs(video, video, video)


Degrading = Callable[[Tensor, Dice], tuple[Tensor, Tensor]]
"""What makes degraded clips, and their originals, (B, T, 3, S, S) of clean ones."""


def damage_and_restore(damage: Damage, frame_part: FramePart | None) -> Degrading:
    """Damage that the part for frames, if any, restores as far as it can."""

    def degrade(video: Tensor, dice: Dice) -> tuple[Tensor, Tensor]:
        damaged = damage(video, dice)
        return damaged if frame_part is None else frame_part(damaged), damaged

    return degrade


def damage_restore_and_enlarge(config: DamageConfig, codec: CodecStep, frame_part: FramePart) -> Degrading:
    """Damage of faces that are small in their frames: the small frame is restored, and the crop enlarged afterwards, as
    when a clip is restored."""

    def coded_and_restored(video: Tensor, drawn: Codec, camera: Camera) -> Tensor:
        """Both versions of small frames: restored, and as they were."""
        coded = codec(video, drawn, camera).round().clamp(0, 255)
        return torch.cat([frame_part(coded), coded], dim=2)

    damage = Damage(replace(config, twice_share=0.0, sharpened_share=0.0), coded_and_restored)

    def degrade(video: Tensor, dice: Dice) -> tuple[Tensor, Tensor]:
        degraded, original = damage(video, dice).chunk(2, dim=2)
        return degraded, original

    return degrade


def make_pairs(clean: ClipMaker, degrade: Degrading, dice: Dice) -> tuple[Tensor, Tensor, Tensor]:
    """Degraded and clean clips, and the originals of the former, (B, T, 3, S, S) in whole levels of 255."""
    video = clean(dice)
    degraded, original = degrade(video, dice)
    return degraded, video, original


def to_pairs(degraded: Tensor, clean: Tensor, original: Tensor) -> Pairs:
    """Clips (B, T, 3, S, S) in levels of 255 as pairs (B, 3, T, S, S) in [-1, 1]."""
    return Pairs(*((x / 127.5 - 1).transpose(1, 2).contiguous() for x in (degraded, clean, original)))


def held_out_pairs(album: PackedAlbum, config: PairConfig, count: int, frame_part: FramePart | None = None) -> Pairs:
    """`count` pairs of people that are never trained on, the same at each call."""
    maker = ClipMaker(album, config.clips, held_out=True)
    dice = Dice(count, (HELD_OUT_SEED,), album.pictures.device)
    return to_pairs(*make_pairs(maker, damage_and_restore(Damage(config.damage), frame_part), dice))
