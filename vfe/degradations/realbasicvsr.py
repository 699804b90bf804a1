"""The degradation on which RealBasicVSR was trained: two orders, each ended by a video codec, and a last filter that
rings.

Source: Chan et al., RealBasicVSR (2022), and its published configuration in mmagic,
realbasicvsr_c64b20_1x30x8_lr5e-5_150k_reds.py. Blur, noise and JPEG quality walk over the clip as there; sizes stay,
where the source lets them walk, since footage keeps its size. Its clean frames are sharpened before all this; ours are
not, as a metric compares with the clip that the user has. `second_order` is our own milder form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from .blur import BlurConfig
from .chain import Chain, Piece, chain
from .codec import Codec
from .jpeg import JpegConfig
from .noise import NoiseConfig
from .ranges import Range, chance, check_range, uniform
from .resize import RESIZE_MODES, Resize, ResizeConfig
from .second_order import PassConfig

ENCODERS = ("libx264", "libx264", "mpeg4")
"""libx264, FFmpeg's default for H.264, which is libx264 too, and MPEG-4: each as often."""
ENCODER_RATE = Fraction(1)
"""The frames per second that the source tells the encoders."""


def _blur(most_sigma: float, share: float) -> BlurConfig:
    # Of the source's 0.9 of bells: gaussian 0.63, generalised 0.135, plateau 0.135; round ones 0.621.
    return BlurConfig(
        share=share, sigma=(0.2, most_sigma), round_share=0.69, shapes=(0.7, 0.15, 0.15), walking=1.0, most_radius=10
    )


def _noise(gaussian: float, shot: float) -> NoiseConfig:
    # The source's scale s of Poisson noise gives white a sigma of about 16 s levels of 255.
    return NoiseConfig(gaussian=(1.0, gaussian), shot=(0.8, shot), walking=1.0, step=0.1)


def _first() -> PassConfig:
    resize = ResizeConfig(up=0.2, down=0.7, scale=(0.15, 1.5))
    return PassConfig(blur=_blur(3.0, 1.0), resize=resize, noise=_noise(30.0, 48.0), jpeg=JpegConfig(walking=1.0))


def _second() -> PassConfig:
    resize = ResizeConfig(up=0.3, down=0.4, scale=(0.3, 1.2))
    return PassConfig(blur=_blur(1.5, 0.8), resize=resize, noise=_noise(25.0, 40.0), jpeg=JpegConfig(walking=1.0))


def _ringing() -> BlurConfig:
    return BlurConfig(share=0.8, sinc_share=1.0, sinc_cutoff=(np.pi / 3, np.pi))


@dataclass(frozen=True, kw_only=True)
class RealBasicVSRConfig:
    """Both orders, the final `ratio`, the last filter, and the range of the encoders' bits per second."""

    first: PassConfig = field(default_factory=_first)
    second: PassConfig = field(default_factory=_second)
    ringing: BlurConfig = field(default_factory=_ringing)
    ratio: float = 4.0
    bits_per_second: Range = (1e4, 1e5)

    def __post_init__(self) -> None:
        check_range("ratio", (1.0, self.ratio), 1.0, 32.0)
        check_range("bits_per_second", self.bits_per_second, 1000.0)

    def draw(self, rng: np.random.Generator) -> Chain:
        first, first_scale = self.first.draw(rng)
        between = self._codec(rng)
        second, second_scale = self.second.draw(rng)
        last: list[tuple[Piece | None, ...]] = [(self._codec(rng),), self._small(first_scale * second_scale, rng)]
        if chance(0.5, rng):
            last.reverse()
        return chain((*first, between, *second, *last[0], *last[1]), None)

    def _small(self, scale: float, rng: np.random.Generator) -> tuple[Piece | None, ...]:
        """The final size, from frames that are `scale` of the clean ones, and the filter that rings."""
        return Resize(1 / (self.ratio * scale), RESIZE_MODES[int(rng.integers(3))]), self.ringing.draw(rng)

    def _codec(self, rng: np.random.Generator) -> Codec:
        name = ENCODERS[int(rng.integers(len(ENCODERS)))]
        rate = round(uniform(self.bits_per_second, rng))
        return Codec(name, quality=0, keyframe=12, preset="medium", rate=ENCODER_RATE, bits_per_second=rate)
