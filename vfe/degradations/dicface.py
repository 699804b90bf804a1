"""The degradation of DicFace: blur, a quarter of the size, noise, H.264, back by the same interpolation.

Source: the published configuration of DicFace (Chen et al. 2025), options/clip5_bs2_512_align_nofix_multiscale.yaml and
basicsr/data/vfhq_dataset.py of its repository, which take over the order of KEEP (Feng et al. 2024). Two things of that
code are left out, as they are faults of it and not of footage: decimals that are cut off, and red and blue exchanged on
the way to the encoder.

T frames, H W sides; planes are (T, 3, H, W) float32 from 0 to 255.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from .blur import BlurConfig
from .chain import Chain, chain
from .codec import Codec
from .ranges import Range, check_range, check_share, integer
from .resize import RESIZE_MODES, Resize

ENCODER_RATE = Fraction(1)
"""The frames per second that the source tells the encoder, which then spends more on each than at 25."""


def _blur() -> BlurConfig:
    return BlurConfig(
        sigma=(0.1, 10.0), round_share=0.7, shapes=(1.0, 0.0, 0.0), sinc_share=0.0, walking=0.0, most_radius=10
    )


@dataclass(frozen=True)
class NoiseOfEachFrame:
    """Gaussian noise whose sigma, in levels of 255, and whether it is grey are drawn anew for each frame."""

    sigma: Range
    grey_share: float

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:
        frames, _, height, width = planes.shape
        sigma = torch.from_numpy(rng.uniform(*self.sigma, frames).astype(np.float32))
        is_grey = torch.from_numpy(rng.random(frames) < self.grey_share)
        noise = torch.from_numpy(rng.standard_normal((frames, 3, height, width), dtype=np.float32))
        noise = torch.where(is_grey[:, None, None, None], noise[:, :1], noise)
        return (planes + sigma[:, None, None, None] * noise).clamp_(0, 255)

    def milder(self, severity: float) -> NoiseOfEachFrame:
        return replace(self, sigma=(severity * self.sigma[0], severity * self.sigma[1]))


@dataclass(frozen=True, kw_only=True)
class DicFaceConfig:
    """The ranges of the source; `interpolation` are the shares of area, bilinear and bicubic."""

    blur: BlurConfig = field(default_factory=_blur)
    ratio: float = 4.0
    interpolation: tuple[float, float, float] = (0.2, 0.4, 0.4)
    noise: Range = (0.0, 10.0)
    grey_share: float = 0.5
    crf: tuple[int, int] = (18, 24)

    def __post_init__(self) -> None:
        check_range("ratio", (1.0, self.ratio), 1.0, 32.0)
        check_range("noise", self.noise, 0.0, 255.0)
        check_range("crf", self.crf, 0, 51)
        check_share("grey_share", self.grey_share)
        if abs(sum(self.interpolation) - 1) > 1e-6 or min(self.interpolation) < 0:
            raise ValueError(f"interpolation is {self.interpolation}, needed shares that add up to 1")

    def draw(self, rng: np.random.Generator) -> Chain:
        mode = RESIZE_MODES[int(rng.choice(3, p=self.interpolation))]
        codec = Codec("libx264", integer(self.crf, rng), keyframe=250, preset="medium", rate=ENCODER_RATE)
        small = Resize(1 / self.ratio, mode)
        pieces = (self.blur.draw(rng), small, NoiseOfEachFrame(self.noise, self.grey_share), codec)
        return replace(chain(pieces, None), enlarged=mode)
