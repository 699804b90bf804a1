"""Webcams and old video: little light, a small noisy sensor, a smearing filter, haloes, and old codecs at low rates."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .blur import BlurConfig
from .chain import Chain, StoredConfig, chain
from .codec import CodecConfig
from .denoise import DenoiseConfig
from .dropped_frames import RepeatConfig
from .exposure import ExposureConfig
from .ranges import Range, check_range, uniform
from .resize import RESIZE_MODES, Resize
from .sensor import SensorNoiseConfig
from .sharpen import SharpenConfig


def _lens() -> BlurConfig:
    return BlurConfig(share=0.8, sigma=(0.3, 2.2), sinc_share=0.0, walking=0.2)


def _cable() -> CodecConfig:
    return CodecConfig(share=0.4, encoders=("mjpeg",), severity=(0.05, 0.6), rate_share=0.0)


def _file() -> CodecConfig:
    return CodecConfig(
        encoders=("h263p", "flv", "mpeg4", "msmpeg4", "wmv2", "mpeg1video", "mpeg2video", "libvpx", "libx264"),
        severity=(0.05, 0.65),
        rate_share=0.4,
        bits=(0.06, 0.4),
        keyframe=(12, 100),
        damage_share=0.1,
    )


@dataclass(frozen=True, kw_only=True)
class WebcamConfig:
    """A webcam or old camera, from the lens to the file; `ratio` is that of the clean size to the sensor's."""

    lens: BlurConfig = field(default_factory=_lens)
    ratio: Range = (1.0, 4.0)
    exposure: ExposureConfig = field(default_factory=ExposureConfig)
    noise: SensorNoiseConfig = field(default_factory=SensorNoiseConfig)
    denoise: DenoiseConfig = field(default_factory=DenoiseConfig)
    sharpen: SharpenConfig = field(default_factory=SharpenConfig)
    repeat: RepeatConfig = field(default_factory=RepeatConfig)
    cable: CodecConfig = field(default_factory=_cable)
    file: CodecConfig = field(default_factory=_file)
    stored: StoredConfig = field(default_factory=StoredConfig)

    def __post_init__(self) -> None:
        check_range("ratio", self.ratio, 1.0, 32.0)

    def draw(self, rng: np.random.Generator) -> Chain:
        exposure, dark = self.exposure.draw(rng)
        sensor = Resize(1 / uniform(self.ratio, rng), RESIZE_MODES[int(rng.integers(3))])
        pieces = (
            self.lens.draw(rng),
            sensor,
            exposure,
            self.noise.draw(rng, dark),
            self.denoise.draw(rng),
            self.sharpen.draw(rng),
            self.repeat.draw(rng),
            self.cable.draw(rng),
            self.file.draw(rng),
        )
        return chain(pieces, self.stored.draw(rng))
