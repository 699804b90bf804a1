"""A codebook of K entries (VQ-VAE, van den Oord et al. 2017; DVFace, eq. 3).

z latents (..., d), K entries of width d.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHUNK = 1 << 14  # latents compared with all entries at once: 64 MiB of distances for 1024 entries


class Quantized(NamedTuple):
    """Latents replaced by their nearest entries."""

    codes: Tensor  # (..., d), with the gradient of the latents (straight-through)
    indices: Tensor  # (...) int64
    codebook_loss: Tensor  # scalar: entries move to their latents
    commitment_loss: Tensor  # scalar: latents stay near their entries


class Codebook(nn.Module):
    """C = {c_k}: the nearest entry by L2, and the entry of an index."""

    def __init__(self, entries: int, dim: int) -> None:
        super().__init__()
        self.entries = nn.Parameter(torch.empty(entries, dim).uniform_(-1 / entries, 1 / entries))

    def nearest(self, z: Tensor) -> Tensor:
        """argmin_k |z - c_k|_2 in float32: (..., d) -> (...) int64."""
        entries = self.entries.float()
        half_norms = entries.square().sum(1) / 2  # |z - c|^2 / 2 = |z|^2 / 2 - z c + |c|^2 / 2
        flat = z.reshape(-1, z.shape[-1]).float()
        found = [torch.addmm(half_norms, part, entries.T, alpha=-1).argmin(1) for part in flat.split(CHUNK)]
        return torch.cat(found).view(z.shape[:-1])

    def lookup(self, indices: Tensor) -> Tensor:
        """(...) -> (..., d)."""
        return F.embedding(indices, self.entries)

    def forward(self, z: Tensor) -> Quantized:
        """Nearest entries, with straight-through gradient and both losses, mean squares in float32."""
        with torch.no_grad():
            indices = self.nearest(z)
        codes = self.lookup(indices)
        codebook_loss = F.mse_loss(codes.float(), z.detach().float())
        commitment_loss = F.mse_loss(z.float(), codes.detach().float())
        return Quantized(straight_through(z, codes.to(z.dtype)), indices, codebook_loss, commitment_loss)


def straight_through(z: Tensor, codes: Tensor) -> Tensor:
    """The value of `codes` with the gradient of `z`."""
    return z + (codes - z).detach()
