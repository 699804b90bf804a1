"""Old film: soft lens, faded stock, flicker, grain, scratches and dust, then a scan to small video."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .blur import BlurConfig
from .chain import Chain, StoredConfig, chain
from .codec import CodecConfig
from .dust import DustConfig
from .fade import FadeConfig, without_cast
from .flicker import FlickerConfig
from .grain import GrainConfig
from .ranges import Range, check_range, uniform
from .resize import Resize
from .scratches import ScratchesConfig
from .tone import ToneConfig
from .weave import WeaveConfig


def _lens() -> BlurConfig:
    return BlurConfig(share=0.9, sigma=(0.4, 2.6), round_share=0.9, shapes=(0.7, 0.0, 0.3), sinc_share=0.0, walking=0.3)


def _scan() -> CodecConfig:
    return CodecConfig(
        encoders=("libx264", "mpeg2video", "mpeg4"), severity=(0.05, 0.6), rate_share=0.2, bits=(0.08, 0.4)
    )


@dataclass(frozen=True, kw_only=True)
class FilmConfig:
    """The life of a print in order: what lens, dyes, shutter, grain, projector and scanner do to it."""

    lens: BlurConfig = field(default_factory=_lens)
    tone: ToneConfig = field(default_factory=ToneConfig)
    fade: FadeConfig = field(default_factory=FadeConfig)
    flicker: FlickerConfig = field(default_factory=FlickerConfig)
    grain: GrainConfig = field(default_factory=GrainConfig)
    scratches: ScratchesConfig = field(default_factory=ScratchesConfig)
    dust: DustConfig = field(default_factory=DustConfig)
    weave: WeaveConfig = field(default_factory=WeaveConfig)
    ratio: Range = (1.0, 2.5)
    codec: CodecConfig = field(default_factory=_scan)
    stored: StoredConfig = field(default_factory=StoredConfig)

    def __post_init__(self) -> None:
        check_range("ratio", self.ratio, 1.0, 32.0)

    def draw(self, rng: np.random.Generator) -> Chain:
        tone = self.tone.draw(rng)
        lens, fade, flicker = self.lens.draw(rng), self.fade.draw(rng), self.flicker.draw(rng)
        grain = self.grain.draw(rng, monochrome=tone is not None)
        marks = self.scratches.draw(rng), self.dust.draw(rng)
        weave, interlace = self.weave.draw(rng)
        scan = Resize(1 / uniform(self.ratio, rng), "area")
        fade = fade if tone is None else without_cast(fade)
        pieces = (lens, fade, flicker, grain, *marks, weave, scan, interlace, self.codec.draw(rng))
        return chain(pieces, self.stored.draw(rng), tone)
