"""A codebook of K entries (VQ-VAE, van den Oord et al. 2017; DVFace, eq. 3).

z latents (..., d), K entries of width d.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..parameter import uniform_parameter

LATENTS_AT_ONCE = 1 << 14
"""How many latents are compared with all entries at once: their distances to 1024 entries take 64 MiB."""


class Quantized(NamedTuple):
    """Latents and their nearest entries."""

    latents: Tensor  # (..., d)
    entries: Tensor  # (..., d)
    indices: Tensor  # (...) int64

    @property
    def codes(self) -> Tensor:
        """The entries, through which the gradient reaches the latents (straight-through)."""
        return self.latents + (self.entries.to(self.latents.dtype) - self.latents).detach()


class Codebook(nn.Module):
    """The codebook C = {c_k}: gives the nearest entry by L2, and the entry of an index."""

    def __init__(self, entries: int, dim: int) -> None:
        super().__init__()
        self.entries = uniform_parameter(entries, dim, most=1 / entries)

    def nearest(self, z: Tensor) -> Tensor:
        """Return argmin_k |z - c_k|_2, computed in float32: (..., d) -> (...) int64."""
        entries = self.entries.float()
        half_norms = entries.square().sum(1) / 2  # |z - c|^2 / 2 = |z|^2 / 2 - z c + |c|^2 / 2
        flat = z.reshape(-1, z.shape[-1]).float()
        found = [torch.addmm(half_norms, part, entries.T, alpha=-1).argmin(1) for part in flat.split(LATENTS_AT_ONCE)]
        return torch.cat(found).view(z.shape[:-1])

    def lookup(self, indices: Tensor) -> Tensor:
        """Return the entries of indices: (...) -> (..., d)."""
        return F.embedding(indices, self.entries)

    def forward(self, z: Tensor) -> Quantized:
        with torch.no_grad():
            indices = self.nearest(z)
        return Quantized(z, self.lookup(indices), indices)
