"""Real-ESRGAN's degradation done twice over, and a video codec, as RealBasicVSR trains on it.

blur -> resize -> noise -> JPEG, again with weaker ranges, to the final size, video compression. Parameters stay or walk
slowly over the clip; sizes stay, since footage keeps its size.
Sources: Wang et al., Real-ESRGAN (2021), section 3; Chan et al., RealBasicVSR (2022), section 3.3 and its config.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .blur import BlurConfig
from .chain import Chain, Piece, StoredConfig, chain
from .codec import CodecConfig
from .jpeg import JpegConfig
from .noise import NoiseConfig
from .ranges import Range, check_range, uniform
from .resize import RESIZE_MODES, Resize, ResizeConfig


@dataclass(frozen=True, kw_only=True)
class PassConfig:
    """One of the two orders; the defaults are those of the first."""

    blur: BlurConfig = field(default_factory=BlurConfig)
    resize: ResizeConfig = field(default_factory=ResizeConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    jpeg: JpegConfig = field(default_factory=JpegConfig)

    def draw(self, rng: np.random.Generator) -> tuple[tuple[Piece | None, ...], float]:
        """The pieces, and the scale at which they leave the clip."""
        resize = self.resize.draw(rng)
        pieces = (self.blur.draw(rng), resize, self.noise.draw(rng), self.jpeg.draw(rng))
        return pieces, resize.scale if resize else 1.0


def _second_pass() -> PassConfig:
    return PassConfig(
        blur=BlurConfig(share=0.8, sigma=(0.2, 1.5)),
        resize=ResizeConfig(up=0.3, down=0.4, scale=(0.5, 1.2)),
        noise=NoiseConfig(gaussian=(1.0, 12.0), shot=(1.0, 12.0)),
        jpeg=JpegConfig(share=0.5),
    )


@dataclass(frozen=True, kw_only=True)
class SecondOrderConfig:
    """Both orders, the `ratio` of the clean size to the final one, and the codec at the final size."""

    first: PassConfig = field(default_factory=PassConfig)
    second: PassConfig = field(default_factory=_second_pass)
    ratio: Range = (1.0, 4.0)
    codec: CodecConfig = field(default_factory=CodecConfig)
    stored: StoredConfig = field(default_factory=StoredConfig)

    def __post_init__(self) -> None:
        check_range("ratio", self.ratio, 1.0, 32.0)

    def draw(self, rng: np.random.Generator) -> Chain:
        first, first_scale = self.first.draw(rng)
        second, second_scale = self.second.draw(rng)
        final = Resize(1 / (uniform(self.ratio, rng) * first_scale * second_scale), RESIZE_MODES[int(rng.integers(3))])
        return chain((*first, *second, final, self.codec.draw(rng)), self.stored.draw(rng))
