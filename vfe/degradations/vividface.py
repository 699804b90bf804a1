"""The degradation of VividFace and KEEP: x_lq = H264_crf(down_r(x * k_sigma) + noise_delta), resized back.

Then, as real footage mostly is, stored once more at its new size: a restorer trained on the untouched interpolation
learns to read its last bits, and fails when they are gone.
T frames, H W clean sides, h w small sides; frames are (T, H, W, 3) uint8.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .codec import milder_quality
from .frames import cut_to_levels
from .h264 import h264_round_trip
from .ranges import Range, check_range, check_share
from .resample import area_matrix, even, gaussian_matrix

SEVERITY_JITTER = 0.15  # of a range


@dataclass(frozen=True)
class Degradation:
    """One drawn degradation: blur sigma in pixels, downsampling ratio, noise sigma in levels of 255, H.264 constant
    rate factor.

    `stored` is the rate factor of the second file, None where there is none. `careless` cuts decimals off and converts
    colour without accurate rounding, as tools on OpenCV and numpy do: about two levels of 255 darker.
    """

    sigma: float
    ratio: float
    noise: float
    crf: int
    stored: int | None = None
    careless: bool = False
    preset: str = "fast"
    """The preset of x264, the first file's encoder."""

    def apply(self, clean: Tensor, rng: np.random.Generator) -> Tensor:
        """Degrade (T, H, W, 3) uint8; `rng` draws the noise."""
        return degrade(clean, self, rng, self.preset)

    def target(self, clean: Tensor) -> Tensor:
        """The clean clip itself, as this degradation takes no colour away."""
        return clean

    def milder(self, severity: float) -> Degradation:
        """Sigmas `severity` times as large, the ratio to its power, the rate factor nearer to the best of its scale.

        The second file and careless tools stay, as footage has them at any severity.
        """
        check_share("severity", severity)
        return replace(
            self,
            sigma=severity * self.sigma,
            ratio=self.ratio**severity,
            noise=severity * self.noise,
            crf=milder_quality("libx264", self.crf, severity),
        )


@dataclass(frozen=True, kw_only=True)
class DegradationConfig:
    """Ranges from which each clip's degradation is drawn, uniformly.

    A share `together` of the draws takes one severity for the first four, give or take `SEVERITY_JITTER`: real footage
    is often bad in every way at once, which independent draws hardly ever are. The rest are independent.
    """

    sigma: Range = (0.1, 3.3)
    ratio: Range = (1.0, 5.3)
    noise: Range = (0.0, 12.0)
    crf: tuple[int, int] = (18, 35)
    together: float = 0.5
    stored: tuple[int, int] = (1, 20)
    stored_share: float = 0.85
    careless_share: float = 0.5
    preset: str = "fast"

    def __post_init__(self) -> None:
        for name, lowest in (("sigma", 0.0), ("ratio", 1.0), ("noise", 0.0), ("crf", 0.0), ("stored", 0.0)):
            check_range(name, getattr(self, name), lowest)
        for name in ("together", "stored_share", "careless_share"):
            check_share(name, getattr(self, name))

    def draw(self, rng: np.random.Generator) -> Degradation:
        """Draw one degradation from `rng`."""
        severities = rng.random(4)
        if rng.random() < self.together:
            severities = np.clip(severities[0] + rng.uniform(-SEVERITY_JITTER, SEVERITY_JITTER, 4), 0, 1)
        bounds = (self.sigma, self.ratio, self.noise, self.crf)
        sigma, ratio, noise, crf = (
            float(low + (high - low) * severity) for (low, high), severity in zip(bounds, severities, strict=True)
        )
        stored = int(rng.integers(self.stored[0], self.stored[1] + 1)) if rng.random() < self.stored_share else None
        careless = bool(rng.random() < self.careless_share)
        return Degradation(sigma, ratio, noise, round(crf), stored, careless, self.preset)


def degrade(clean: Tensor, how: Degradation, rng: np.random.Generator, preset: str = "fast") -> Tensor:
    """Degrade (T, H, W, 3) uint8, same shape; `rng` draws the noise, everything else is fixed by `how`."""
    height, width = clean.shape[1:3]
    rows, columns = (
        area_matrix(size, even(size / how.ratio)) @ gaussian_matrix(size, how.sigma) for size in (height, width)
    )
    small = _separable(clean, rows, columns)
    noise = torch.from_numpy(rng.standard_normal(small.shape, dtype=np.float32))
    small = cut_to_levels(small + how.noise * noise + (0.0 if how.careless else 0.5))
    small = h264_round_trip(small, how.crf, preset, how.careless)
    planes = small.permute(0, 3, 1, 2).float()
    large = F.interpolate(planes, (height, width), mode="bicubic", align_corners=False).permute(0, 2, 3, 1)
    large = cut_to_levels(large + 0.5)
    return large if how.stored is None else h264_round_trip(large, how.stored, "ultrafast")


def _separable(frames: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """rows @ frame @ columns^T for each frame and colour of (T, H, W, 3), in float64."""
    mixed = torch.einsum("wv,thvc->thwc", columns.double(), frames.double())
    return torch.einsum("hg,tgwc->thwc", rows.double(), mixed)
