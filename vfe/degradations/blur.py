"""Blur by a drawn kernel that may slowly widen and narrow over the clip.

T frames, H W sides, k kernel side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .kernels import BellShape, bell, sinc
from .random_walk import random_walk
from .ranges import Range, chance, check_range, check_share, uniform

WIDTH_FACTORS = (0.5, 2.0)  # a walking blur stays within these multiples of what was drawn
KERNEL_SIGMAS = 3  # sigmas that a kernel covers
FFT_MULTIPLE = 32  # sides with small prime factors transform fast
MAX_KERNEL_RADIUS = 16


@dataclass(frozen=True)
class Blur:
    """A blur by a bell of `sigma` pixels (long axis, short axis) turned by `angle` radians.

    `step` is how far its width may walk from one frame to the next, as a share of it.
    """

    sigma: tuple[float, float]
    angle: float = 0.0
    shape: BellShape = "gaussian"
    beta: float = 1.0
    step: float = 0.0
    most_radius: int = MAX_KERNEL_RADIUS
    """The kernel's largest radius in pixels, beyond which the bell is cut off."""

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:
        width = torch.from_numpy(random_walk(1.0, self.step, WIDTH_FACTORS, len(planes), rng)).double()
        radius = min(self.most_radius, max(1, round(KERNEL_SIGMAS * max(self.sigma) * float(width.max()))))
        along, across = (width * max(sigma, 1e-3) for sigma in self.sigma)
        return convolve(planes, bell(self.shape, along, across, self.angle, self.beta, 2 * radius + 1))

    def milder(self, severity: float) -> Blur:
        return replace(self, sigma=(severity * self.sigma[0], severity * self.sigma[1]))


@dataclass(frozen=True)
class Sinc:
    """Ringing: a low-pass filter at `cutoff` radians per pixel, `size` pixels wide."""

    cutoff: float
    size: int

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:  # noqa: ARG002 - as every piece
        return convolve(planes, sinc(self.cutoff, self.size).expand(len(planes), -1, -1))

    def milder(self, severity: float) -> Sinc:
        return replace(self, cutoff=np.pi + severity * (self.cutoff - np.pi))


@dataclass(frozen=True, kw_only=True)
class BlurConfig:
    """Ranges of Real-ESRGAN; `walking` is the share of clips whose blur changes over time (RealBasicVSR)."""

    share: float = 1.0
    sigma: Range = (0.2, 3.0)
    round_share: float = 0.55
    """The share of bells that have one sigma for both axes."""
    shapes: tuple[float, float, float] = (0.75, 0.15, 0.1)
    """Shares of gaussian, generalised and plateau bells."""
    generalised_beta: Range = (0.5, 4.0)
    plateau_beta: Range = (1.0, 2.0)
    sinc_share: float = 0.1
    sinc_cutoff: Range = (1.05, 3.14)
    walking: float = 0.5
    step: float = 0.02
    most_radius: int = MAX_KERNEL_RADIUS

    def __post_init__(self) -> None:
        check_range("most_radius", (1, self.most_radius), 1, 64)
        check_range("sigma", self.sigma, 0.0)
        check_range("generalised_beta", self.generalised_beta, 0.1)
        check_range("plateau_beta", self.plateau_beta, 1.0)
        check_range("sinc_cutoff", self.sinc_cutoff, 0.3, np.pi)
        for name in ("share", "round_share", "sinc_share", "walking", "step"):
            check_share(name, getattr(self, name))
        if abs(sum(self.shapes) - 1) > 1e-6 or min(self.shapes) < 0:
            raise ValueError(f"shapes are {self.shapes}, needed shares that add up to 1")

    def draw(self, rng: np.random.Generator) -> Blur | Sinc | None:
        if not chance(self.share, rng):
            return None
        if chance(self.sinc_share, rng):
            return Sinc(uniform(self.sinc_cutoff, rng), 2 * int(rng.integers(3, 11)) + 1)
        kinds: tuple[Literal["gaussian", "generalised", "plateau"], ...] = ("gaussian", "generalised", "plateau")
        shape = kinds[int(rng.choice(3, p=self.shapes))]
        beta = {
            "gaussian": 1.0,
            "generalised": uniform(self.generalised_beta, rng),
            "plateau": uniform(self.plateau_beta, rng),
        }[shape]
        first, second = uniform(self.sigma, rng), uniform(self.sigma, rng)
        sigma = (first, first) if chance(self.round_share, rng) else (first, second)
        angle = uniform((0, np.pi), rng)
        step = self.step if chance(self.walking, rng) else 0.0
        return Blur(sigma, angle, shape, beta, step, self.most_radius)


def convolve(planes: Tensor, kernels: Tensor) -> Tensor:
    """Filter each frame of (T, C, H, W) with its own point-symmetric kernel of (T, k, k); edges are continued."""
    height, width = planes.shape[2:]
    radius = kernels.shape[-1] // 2
    sides = [-(-(side + 2 * radius) // FFT_MULTIPLE) * FFT_MULTIPLE for side in (height, width)]
    bottom, right = sides[0] - height - radius, sides[1] - width - radius
    padded = F.pad(planes, (radius, right, radius, bottom), mode="replicate")
    spectrum = torch.fft.rfft2(padded) * torch.fft.rfft2(kernels, s=sides)[:, None]
    result = torch.fft.irfft2(spectrum, s=sides)
    return result[:, :, 2 * radius : 2 * radius + height, 2 * radius : 2 * radius + width]
