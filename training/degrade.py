"""The degradation of VividFace and KEEP: x_lq = H264_crf(down_r(x * k_sigma) + noise_delta), resized back.

T frames, H W clean sides, h w small sides; frames are (T, H, W, 3) uint8.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import torch
from torch import Tensor

from vfe.video.x264 import reproducible_options

from .resample import area_matrix, cubic_matrix, even, gaussian_matrix

Range = tuple[float, float]
FRAME_RATE = Fraction(25)
JITTER = 0.15  # of a range


@dataclass(frozen=True)
class Degradation:
    """One draw: blur sigma in pixels, downsampling ratio, noise sigma of 255, H.264 constant rate factor."""

    sigma: float
    ratio: float
    noise: float
    crf: int


@dataclass(frozen=True, kw_only=True)
class DegradationConfig:
    """Ranges from which each clip's degradation is drawn, uniformly.

    A share `together` of the draws takes one severity for all four, give or take `JITTER`: real footage is often bad in
    every way at once, which independent draws hardly ever are. The others are independent.
    """

    sigma: Range = (0.1, 3.3)
    ratio: Range = (1.0, 5.3)
    noise: Range = (0.0, 12.0)
    crf: tuple[int, int] = (18, 35)
    together: float = 0.0
    preset: str = "fast"

    def __post_init__(self) -> None:
        for name, lowest in (("sigma", 0.0), ("ratio", 1.0), ("noise", 0.0), ("crf", 0.0)):
            low, high = getattr(self, name)
            if not lowest <= low <= high:
                raise ValueError(f"{name} range is {low} to {high}, needed rising from at least {lowest}")

        if not 0 <= self.together <= 1:
            raise ValueError(f"together is {self.together}, needed from 0 to 1")

    def draw(self, rng: np.random.Generator) -> Degradation:
        """Draw the four figures from `rng`."""
        if self.together and rng.random() < self.together:
            places = np.clip(rng.random() + rng.uniform(-JITTER, JITTER, 4), 0, 1)
            bounds = (self.sigma, self.ratio, self.noise, self.crf)
            sigma, ratio, noise, crf = (low + (high - low) * p for (low, high), p in zip(bounds, places, strict=True))
            return Degradation(float(sigma), float(ratio), float(noise), round(float(crf)))
        sigma, ratio, noise = (rng.uniform(*bounds) for bounds in (self.sigma, self.ratio, self.noise))
        return Degradation(float(sigma), float(ratio), float(noise), int(rng.integers(self.crf[0], self.crf[1] + 1)))


@dataclass(frozen=True)
class SmallClip:
    """A degraded clip before it is resized back, so that a crop costs only its own pixels."""

    frames: Tensor  # (T, h, w, 3) uint8
    height: int
    width: int

    def crop(self, start: int, top: int, left: int, size: tuple[int, int, int]) -> Tensor:
        """Frames, rows and columns of the resized clip: (T, H, W, 3) uint8 of `size` (frames, height, width)."""
        frames, height, width = size
        rows = cubic_matrix(self.frames.shape[1], self.height)[top : top + height]
        columns = cubic_matrix(self.frames.shape[2], self.width)[left : left + width]
        return _quantise(_separable(self.frames[start : start + frames], rows, columns) + 0.5)


def degrade(clean: Tensor, how: Degradation, rng: np.random.Generator, preset: str = "fast") -> SmallClip:
    """Degrade (T, H, W, 3) uint8; `rng` draws the noise, everything else is fixed by `how`."""
    height, width = clean.shape[1:3]
    rows, columns = (
        area_matrix(size, even(size / how.ratio)) @ gaussian_matrix(size, how.sigma) for size in (height, width)
    )
    small = _separable(clean, rows, columns)
    noise = torch.from_numpy(rng.standard_normal(small.shape, dtype=np.float32))
    small = _quantise(small + how.noise * noise)
    return SmallClip(h264_round_trip(small, how.crf, preset), height, width)


def restore_size(clip: SmallClip) -> Tensor:
    """The whole degraded clip at its clean size: (T, H, W, 3) uint8."""
    return clip.crop(0, 0, 0, (clip.frames.shape[0], clip.height, clip.width))


def h264_round_trip(frames: Tensor, crf: int, preset: str) -> Tensor:
    """Encode and decode (T, h, w, 3) uint8 with x264 at 25 frames/s, 4:2:0, through PyAV."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.height, encoder.width = frames.shape[1:3]
    encoder.pix_fmt, encoder.framerate, encoder.time_base = "yuv420p", FRAME_RATE, 1 / FRAME_RATE
    encoder.options = {"crf": str(crf), "preset": preset, "threads": "1", **reproducible_options()}
    packets = []
    for index, frame in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.numpy()), format="rgb24")
        picture.pts = index
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = encoder.extradata
    decoded = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    return torch.from_numpy(np.stack([frame.to_ndarray(format="rgb24") for frame in decoded]))


def _separable(frames: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """rows @ frame @ columns^T for each frame and colour of (T, H, W, 3), in float64."""
    mixed = torch.einsum("wv,thvc->thwc", columns.double(), frames.double())
    return torch.einsum("hg,tgwc->thwc", rows.double(), mixed)


def _quantise(frames: Tensor) -> Tensor:
    """Cut to 8 bits. Matrix products differ in the last bits with memory alignment: a fine grid absorbs that, so that
    the same seed gives the same bytes."""
    return ((frames * 4096).round_() / 4096).floor_().clamp_(0, 255).byte()
