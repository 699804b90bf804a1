"""The sizes of the prior; the defaults go with Wan2.1-T2V-1.3B. DVFace's paper gives none of them: they are ours."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class EncoderScale:
    """One scale of the encoder."""

    width: int
    """Channels."""
    time: int = 1
    """The factor by which it divides the number of frames."""
    space: int = 2
    """The factor by which it divides the sides."""
    blocks: int = 2
    """Residual blocks behind that."""

    def __post_init__(self) -> None:
        if min(self.width, self.time, self.space) < 1 or self.blocks < 0:
            raise ValueError(f"width, time and space need to be at least 1, blocks at least 0: {self}")


@dataclass(frozen=True, kw_only=True)
class PredictorConfig:
    """A transformer over the tokens of the clip that predicts code indices."""

    width: int = 512
    heads: int = 8
    layers: int = 6
    ffn_dim: int = 2048
    window: tuple[int, int, int] | None = None
    """The attention window in tokens (time, height, width). 0 takes all of an axis; None, as in DVFace (its token
    sequences are of all t h w), all tokens."""
    places: tuple[int, int] | None = None
    """The rows and columns of tokens, each of which has a learned embedding, for clips of one size; None: any size."""


@dataclass(frozen=True, kw_only=True)
class PriorConfig:
    """The sizes of encoder, codebooks and predictors of `DualCodebookPrior`."""

    dim: int = 256
    """The width d of latents and code entries."""
    entries: int = 1024
    """The number K of entries of each codebook."""
    heads: int = 4
    """The heads of the attention along time."""
    scales: tuple[EncoderScale, ...] = (
        EncoderScale(width=64),
        EncoderScale(width=128, time=2),
        EncoderScale(width=256, time=2),
        EncoderScale(width=512),
    )
    predictor: PredictorConfig = field(default_factory=PredictorConfig)

    def __post_init__(self) -> None:
        if self.dim < 1 or self.dim % self.heads:
            raise ValueError(f"prior dim={self.dim} is not divisible by heads={self.heads}")
        if self.entries < 2 or not self.scales:
            raise ValueError(
                f"codebooks of {self.entries} entries and {len(self.scales)} scales: needed 2 and 1 or more"
            )

    @property
    def time(self) -> int:
        """Frames of a latent frame; the first of a clip is of one frame."""
        return math.prod(scale.time for scale in self.scales)

    @property
    def space(self) -> int:
        """Pixels along a token."""
        return math.prod(scale.space for scale in self.scales)

    @property
    def depths(self) -> tuple[int, ...]:
        """Numbers of layers of the predictors and of each scale."""
        return (self.predictor.layers, *(scale.blocks for scale in self.scales))
