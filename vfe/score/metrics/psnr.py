"""Peak signal-to-noise ratio of RGB in 8-bit levels, in dB: of a whole clip, and the mean over its frames."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..metric import Figure, Mean, OfFrames, Scored, ScoredClip
from ..moment import Moment

PEAK = 255.0
SMALLEST = 1e-6
"""Errors below this, in squared levels, count as this much: equal clips have 108 dB, not infinitely many."""


def decibel(error: float) -> float:
    """Return the PSNR of a mean squared error in levels."""
    return 10 * math.log10(PEAK**2 / max(error, SMALLEST))


def squared_error(moment: Moment, region: Tensor | None = None) -> tuple[float, int]:
    """Return the squared error of a frame summed over its pixels, or those of a region (H, W), and their number.

    The error of a pixel is the mean over its colours.
    """
    assert moment.clean is not None
    error = (moment.shown.values - moment.clean.values).square().mean(0)
    chosen = error if region is None else error[region]
    return float(chosen.sum(dtype=torch.float64)), chosen.numel()


class Psnr:
    """10 log10(255^2 / MSE) with the mean over all pixels, colours and frames of the clip."""

    figure = Figure("psnr", "higher", "dB")
    why = ""

    def begin(self, clip: ScoredClip) -> None:  # noqa: ARG002 - as every metric
        """Start with a clip."""
        self._total, self._pixels, self._frames = 0.0, 0, Mean()

    def see(self, moment: Moment) -> None:
        """Take the error of a frame."""
        region = self.region(moment)
        if region is not None and not region.any():
            self._frames.missing += 1
            return
        error, pixels = squared_error(moment, region)
        self._total, self._pixels = self._total + error, self._pixels + pixels
        self._frames.add(moment.number, decibel(error / pixels))

    def scored(self) -> Scored:
        """Return the figure; its curve has the frames' own."""
        frames = self._frames.scored(self.why)
        return frames if not self._pixels else frames._replace(value=decibel(self._total / self._pixels))

    def region(self, moment: Moment) -> Tensor | None:  # noqa: ARG002 - the face's needs it
        """Return which pixels count; None where all do."""
        return None


class PsnrOfFrames(OfFrames):
    """The mean over frames of their PSNR, as pyiqa and the papers' scripts have it."""

    figure = Figure("psnr_frames", "higher", "dB")

    def value(self, moment: Moment) -> float:
        """Return the PSNR of a frame."""
        error, pixels = squared_error(moment)
        return decibel(error / pixels)

    def scored(self) -> Scored:
        """Return the mean; its curve would be that of `Psnr`."""
        return super().scored()._replace(curve=())
