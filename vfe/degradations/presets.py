"""Named degradations with fixed values or ranges, for `vfe degrade` and the configurations of training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..types import VFEError
from .blur import BlurConfig
from .codec import CodecConfig
from .dicface import DicFaceConfig
from .dropped_frames import RepeatConfig
from .exposure import ExposureConfig
from .film import FilmConfig
from .mix import DegradationMix
from .protocol import DrawnDegradation, Family
from .realbasicvsr import RealBasicVSRConfig
from .second_order import SecondOrderConfig
from .sharpen import SharpenConfig
from .vividface import Degradation, DegradationConfig
from .webcam import WebcamConfig


@dataclass(frozen=True)
class Fixed:
    """A family of one degradation: only noise is drawn."""

    degradation: DrawnDegradation

    def draw(self, rng: np.random.Generator) -> DrawnDegradation:  # noqa: ARG002 - as every family
        return self.degradation


@dataclass(frozen=True)
class Preset:
    """A named family of degradations, where it is from, and how its config is made."""

    name: str
    source: str
    make: Callable[[], Family]
    """Raises VFEError where this PyAV lacks an encoder of the family."""


def _surveillance() -> WebcamConfig:
    """A far and small face by little light, at the rate of a recorder that keeps weeks."""
    return WebcamConfig(
        lens=BlurConfig(share=1.0, sigma=(0.6, 2.6), sinc_share=0.0, walking=0.0),
        ratio=(3.0, 6.0),
        exposure=ExposureConfig(low_light=0.6, drift=(0.0, 0.002)),
        sharpen=SharpenConfig(share=0.8),
        repeat=RepeatConfig(share=0.6),
        cable=CodecConfig(share=0.0),
        file=CodecConfig(
            encoders=("libx264", "mpeg4", "mjpeg"), severity=(0.4, 0.8), rate_share=0.5, bits=(0.03, 0.15),
            keyframe=(50, 250), damage_share=0.2,
        ),
    )  # fmt: skip


LEVELS = {
    "mild": Degradation(1.0, 2.0, 3.0, 23),
    "medium": Degradation(2.0, 3.0, 6.0, 28),
    "severe": Degradation(3.0, 5.0, 10.0, 33),
}
"""The three levels of the quality table: sigma of the blur, downsampling, noise in levels of 255, H.264 rate factor."""
_LEVEL = "the quality table of this project: the formula of VividFace and KEEP with these values: "

PRESETS = (
    *(
        Preset(
            name,
            f"{_LEVEL}blur {how.sigma:g}, 1/{how.ratio:g} of the size, noise {how.noise:g}, CRF {how.crf}",
            lambda how=how: Fixed(how),  # type: ignore[misc] # of one level, not of the last
        )
        for name, how in LEVELS.items()
    ),
    Preset(
        "keep",
        "VividFace and KEEP (Feng et al. 2024): blur, downsampling, noise, H.264; the ranges are ours",
        DegradationConfig,
    ),
    Preset("dicface", "DicFace (Chen et al. 2025), order and ranges of its published configuration", DicFaceConfig),
    Preset(
        "realbasicvsr",
        "RealBasicVSR (Chan et al. 2022), order and ranges of its published configuration; sizes do not walk",
        RealBasicVSRConfig,
    ),
    Preset("second-order", "ours, a milder form of RealBasicVSR's with more codecs", SecondOrderConfig),
    Preset("old-film", "ours: lens, faded dyes, flicker, grain, scratches, dust, weave, a scan", FilmConfig),
    Preset("webcam", "ours: small noisy sensors, smearing filters, haloes, old codecs", WebcamConfig),
    Preset("surveillance", "ours: far faces in little light, dropped frames, a low rate", _surveillance),
    Preset(
        "mix",
        "ours: a draw among keep and ours, of which the bundled model saw what leaves colours alone",
        DegradationMix,
    ),
)
NAMES = tuple(preset.name for preset in PRESETS)


def preset_family(name: str) -> Family:
    """Return the family of a preset. Raises VFEError for a name that is none, or where this PyAV lacks an encoder."""
    for preset in PRESETS:
        if preset.name == name:
            return preset.make()
    raise VFEError(f"there is no degradation preset {name!r}; needed is one of {', '.join(NAMES)}")
