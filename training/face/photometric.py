"""What happens to a picture between the scene and the file: light, colour, blur, noise, coarse compression.

Pictures are (3, H, W) floats, 0 to 255.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from vfe.luma import LUMA
from vfe.models.lapped_codec import dct_matrix

WEIGHTS = torch.tensor(LUMA)[:, None, None]
BLOCK = 8
DCT = dct_matrix(BLOCK).float()


def relight(picture: Tensor, rng: np.random.Generator, strength: float = 1.0) -> Tensor:
    """Gain, offset, tint, saturation and gamma, drawn around none at all."""
    gain = float(np.exp(rng.normal(0, 0.22 * strength)))
    tint = torch.from_numpy(np.exp(rng.normal(0, 0.07 * strength, (3, 1, 1))).astype(np.float32))
    saturation = float(np.clip(rng.normal(1, 0.25 * strength), 0, 2))
    offset = float(rng.normal(0, 10 * strength))
    grey = (picture * WEIGHTS).sum(0, keepdim=True)
    lit = (grey + (picture - grey) * saturation) * (tint * gain) + offset
    gamma = float(np.exp(rng.normal(0, 0.2 * strength)))
    return (lit.clamp(0, 255) / 255).pow(gamma) * 255


def soften(picture: Tensor, factor: float) -> Tensor:
    """Down by `factor` and up again, as a small or unsharp source."""
    height, width = picture.shape[1:]
    size = [max(int(height / factor), 8), max(int(width / factor), 8)]
    small = F.interpolate(picture[None], size=size, mode="bilinear", antialias=True)
    return F.interpolate(small, size=[height, width], mode="bilinear")[0]


def compress(picture: Tensor, step: float) -> Tensor:
    """Quantised 8 x 8 cosine transform, coarser for high frequencies: the blocks of JPEG and old video codecs."""
    height, width = picture.shape[1:]
    padded = F.pad(picture[None], [0, -width % BLOCK, 0, -height % BLOCK], mode="replicate")[0]
    blocks = rearrange(padded - 128, "c (h p) (w q) -> c h w p q", p=BLOCK, q=BLOCK)
    order = torch.arange(BLOCK, dtype=torch.float32)
    steps = step * (1 + order[:, None] + order[None]) / 2
    levels = torch.round(DCT @ blocks @ DCT.T / steps) * steps
    decoded = rearrange(DCT.T @ levels @ DCT, "c h w p q -> c (h p) (w q)") + 128
    return decoded[:, :height, :width]


def draw_coarseness(rng: np.random.Generator, share: float = 0.4) -> float:
    """How many times larger a picture is than what it was made from: 1, or up to 6 in a share of all."""
    return float(np.exp(rng.uniform(np.log(1.2), np.log(6)))) if rng.random() < share else 1.0


def enlarge(picture: Tensor, factor: float, rng: np.random.Generator) -> Tensor:
    """A small, noisy, compressed and enlarged copy of the picture: unsharp, with blocks of 8 `factor` pixels."""
    height, width = picture.shape[1:]
    size = [max(round(height / factor), 8), max(round(width / factor), 8)]
    seen = soften(picture, factor * rng.uniform(0.7, 1.5)) if rng.random() < 0.7 else picture
    small = F.interpolate(seen[None], size=size, mode="bilinear", antialias=True)[0]
    if rng.random() < 0.7:
        small = add_noise(small, rng.uniform(1, 14), rng)
    if rng.random() < 0.8:
        small = compress(small, rng.uniform(4, 40)).clamp(0, 255)
    mode = "bicubic" if rng.random() < 0.6 else "bilinear"
    return F.interpolate(small[None], size=[height, width], mode=mode)[0].clamp(0, 255)


def add_noise(picture: Tensor, level: float, rng: np.random.Generator) -> Tensor:
    """White Gaussian noise with a standard deviation of `level`."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    return picture + torch.randn(picture.shape, generator=generator) * level


def weather(picture: Tensor, rng: np.random.Generator, coarseness: float = 1.0) -> Tensor:
    """A whole frame as a camera and a codec may have left it, or as a smaller one enlarged `coarseness` times."""
    seen = relight(picture, rng, strength=1.0 if rng.random() < 0.7 else 1.8)
    if rng.random() < 0.08:
        seen = (seen * WEIGHTS).sum(0, keepdim=True).expand(3, -1, -1)
    if coarseness > 1:
        seen = enlarge(seen, coarseness, rng)
    elif rng.random() < 0.3:
        seen = soften(seen, rng.uniform(1.2, 3.0))
    if rng.random() < 0.3:
        seen = add_noise(seen, rng.uniform(2, 22), rng)
    if rng.random() < 0.3:
        seen = compress(seen, rng.uniform(4, 36))
    return seen.clamp(0, 255)
