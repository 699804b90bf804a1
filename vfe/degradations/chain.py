"""Pieces one after the other: what all families but `keep` are made of.

T frames, H W sides; frames are (T, H, W, 3) uint8, planes (T, 3, h, w) float32 from 0 to 255.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from torch import Tensor

from ..options import CRFS
from .codec import Codec
from .frames import to_frames, to_planes
from .ranges import chance, check_range, check_share, integer
from .resize import ResizeMode, resized
from .tone import Tone


class Piece(Protocol):
    """One thing that happens to a clip: planes to planes, maybe of another size, never fewer or later frames."""

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor: ...

    def milder(self, severity: float) -> Piece:
        """The same piece at a `severity` from 0, where it harms as little as it can, to 1, where it is itself.

        What it draws when it is called stays the same kind of draw, so that one seed gives a twin of what it gave.
        """
        ...


@dataclass(frozen=True)
class Chain:
    """A drawn degradation: `pieces` in turn, back to the clean size, then once more through a file where `stored` is
    given.

    `tone` takes the colour away, from the degraded clip and from what a restorer is asked for.
    """

    pieces: tuple[Piece, ...]
    stored: Codec | None = None
    tone: Tone | None = None
    enlarged: ResizeMode = "bicubic"
    """How the last piece's frames come back to the clean size."""

    def apply(self, clean: Tensor, rng: np.random.Generator) -> Tensor:
        """Degrade (T, H, W, 3) uint8; without pieces that is `clean` itself."""
        size = (clean.shape[1], clean.shape[2])
        planes = to_planes(self.target(clean))
        for piece in self.pieces:
            planes = piece(planes, rng)
        planes = resized(planes, size, self.enlarged)
        return to_frames(planes if self.stored is None else self.stored(planes, rng))

    def target(self, clean: Tensor) -> Tensor:
        """The clean clip (T, H, W, 3) uint8 in the colours that a restorer is asked for."""
        return clean if self.tone is None else self.tone(clean)

    def milder(self, severity: float) -> Chain:
        """Every piece milder; the tone and the last file stay, as footage has them at any severity."""
        check_share("severity", severity)
        return replace(self, pieces=tuple(piece.milder(severity) for piece in self.pieces))


@dataclass(frozen=True, kw_only=True)
class StoredConfig:
    """The last file, at the clip's own size, in which footage reaches a restorer: lightly compressed H.264, as in
    `keep`."""

    share: float = 0.85
    crf: tuple[int, int] = (1, 20)

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_range("crf", self.crf, CRFS.least, CRFS.most)

    def draw(self, rng: np.random.Generator) -> Codec | None:
        if not chance(self.share, rng):
            return None
        return Codec("libx264", integer(self.crf, rng), preset="ultrafast")


def chain(pieces: tuple[Piece | None, ...], stored: Codec | None, tone: Tone | None = None) -> Chain:
    """A chain of those of `pieces` that were drawn; the others are None."""
    return Chain(tuple(piece for piece in pieces if piece is not None), stored, tone)
