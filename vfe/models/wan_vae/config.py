"""The sizes of Wan2.1's VAE, and how it is run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from .latents import LATENT_MEAN


@dataclass(frozen=True, kw_only=True)
class WanVAEConfig:
    """The sizes of the VAE; the defaults are Wan2.1's (254 MB in half precision)."""

    dim: int = 96
    """Channels of the first stage of the encoder."""
    latent_channels: int = 16
    multipliers: tuple[int, ...] = (1, 2, 4, 4)
    """Channels of each stage of the encoder in units of `dim`; the sides halve from stage to stage."""
    blocks: int = 2
    """Residual blocks per stage of the encoder; a stage of the decoder has one more."""
    temporal: tuple[bool, ...] = (False, True, True)
    """Whether the frame rate halves too, for each halving of the sides."""
    decoder_dim: int | None = None
    """`dim` of the decoder where it was made smaller by distillation; None, as in Wan2.1, for that of the encoder."""

    def __post_init__(self) -> None:
        if min(self.dim, self.blocks, self.up_dim, *self.multipliers) < 1 or len(self.multipliers) < 2:
            raise ValueError(f"every size needs to be at least 1, with two stages or more: {self}")
        if len(self.temporal) != len(self.multipliers) - 1:
            raise ValueError(
                f"temporal has {len(self.temporal)} flags for {len(self.multipliers)} stages, needed one less"
            )
        if any(width % 2 for width in self.decoder_widths[1:]):
            raise ValueError(f"widths are {self.decoder_widths}, those that the decoder halves need to be even")
        if self.latent_channels != len(LATENT_MEAN):
            raise ValueError(
                f"latent_channels={self.latent_channels}, mean and deviation are known of {len(LATENT_MEAN)} channels"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the encoder's stages, from pixels to latents."""
        return tuple(self.dim * m for m in self.multipliers)

    @property
    def up_dim(self) -> int:
        """Channels of the last stage of the decoder."""
        return self.dim if self.decoder_dim is None else self.decoder_dim

    @property
    def decoder_widths(self) -> tuple[int, ...]:
        """Channels of the decoder's stages, from pixels to latents."""
        return tuple(self.up_dim * m for m in self.multipliers)

    @property
    def space(self) -> int:
        """Pixels along a side of a latent."""
        return 2 ** len(self.temporal)

    @property
    def time(self) -> int:
        """Frames of a latent frame; the first of a clip is of one frame."""
        return 2 ** sum(self.temporal)

    @property
    def up_margins(self) -> tuple[int, ...]:
        """Pixels around a tile, at each stage's own scale, that the stages of the decoder still need: 13, 12, 10, 7.

        A 3x3 convolution needs one more than what follows it, and an upsampled pixel is half a pixel of its source.
        """
        convolutions = 2 * (self.blocks + 1)
        margins = [1 + convolutions]
        for _ in self.temporal:
            margins.insert(0, ceil((margins[0] + 1) / 2) + convolutions)
        return tuple(margins)

    @property
    def down_margins(self) -> tuple[int, int]:
        """Latent pixels before and after a tile that the encoder's stages need: 8 and 9.

        The strided convolutions look one pixel ahead only: the margins differ.
        """
        before = after = 2 * self.blocks
        for _ in self.temporal:
            before, after = 2 * before + 2 * self.blocks, 2 * after + 1 + 2 * self.blocks
        return ceil((before + 1) / self.space), ceil((after + 1) / self.space)


@dataclass(frozen=True, kw_only=True)
class VAEPlan:
    """How the VAE runs; nothing here changes the result beyond rounding."""

    latents_per_step: int = 1
    """Latents that go through the network at once: more cost memory, and fill a large GPU better."""
    tile: int | None = None
    """The side of the decoder's and encoder's tiles in latent pixels; None takes whole frames.

    In float32 on a CPU, unless `fuse` is set, tiles change no bit of the result."""
    winograd: bool | None = None
    """Whether two frames of a convolution are made of four products instead of six; None measures what is faster."""
    fuse: bool = False
    """Whether the element-wise passes between convolutions are compiled, where there is a compiler."""

    def __post_init__(self) -> None:
        if self.latents_per_step < 1:
            raise ValueError(f"latents_per_step={self.latents_per_step}, needed at least 1")
        if self.tile is not None and self.tile < 1:
            raise ValueError(f"tile={self.tile} latent pixels, needed at least 1, or None for whole frames")


def steps(latents: int, per_step: int) -> list[range]:
    """Return the latents of each step: the first alone, which is of a single frame, then `per_step` at a time.

    >>> steps(6, 2)
    [range(0, 1), range(1, 3), range(3, 5), range(5, 6)]
    """
    borders = [0, *range(1, latents, per_step), latents] if latents > 1 else [0, latents]
    return [range(start, stop) for start, stop in pairwise(borders)]


def frames_of(step: range, time: int) -> slice:
    """Return the frames of a step's latents: `time` for each, but one for the first of the clip.

    >>> frames_of(range(0, 1), 4), frames_of(range(1, 3), 4)
    (slice(0, 1, None), slice(1, 9, None))
    """
    return slice(max(0, time * (step.start - 1) + 1), time * (step.stop - 1) + 1)
