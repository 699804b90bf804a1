"""How much of a codebook is used, and new places for entries that nothing is near to (Jukebox, Dhariwal et al. 2020).

K entries of width d.
"""

from __future__ import annotations

import torch
from accelerate.utils import broadcast, gather
from torch import Tensor, nn

from vfe.models.prior.codebook import Codebook


class CodebookUsage(nn.Module):
    """Counts of the entries since the last revival, and latents of the last batch to revive dead ones with.

    All of it in buffers, so that a resumed run goes on with them.
    """

    counts: Tensor  # (K,)
    candidates: Tensor  # (K, d)

    def __init__(self, entries: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(entries))
        self.register_buffer("candidates", torch.zeros(entries, dim))

    @torch.no_grad()
    def see(self, indices: Tensor, latents: Tensor) -> None:
        """Count (...) indices, and keep latents (..., d) spread evenly over the batch."""
        self.counts += torch.bincount(indices.flatten(), minlength=len(self.counts))
        flat = latents.reshape(-1, latents.shape[-1])
        places = torch.linspace(0, len(flat) - 1, len(self.candidates), device=flat.device).long()
        self.candidates.copy_(flat[places])

    @torch.no_grad()
    def revive(self, codebook: Codebook) -> dict[str, float]:
        """Move entries that were never used to latents of the last batch, and count anew.

        Returns `used`, the share of entries that were used, and `perplexity`, the exponential of their entropy. All
        processes count together and move entries alike.
        """
        counts = gather(self.counts[None]).sum(0)
        candidates = broadcast(self.candidates)
        share = counts / counts.sum().clamp(min=1)
        dead = counts == 0
        codebook.entries[dead] = candidates[dead].to(codebook.entries.dtype)
        self.counts.zero_()
        perplexity = torch.special.entr(share).sum().exp()
        return {"used": float((~dead).float().mean()), "perplexity": float(perplexity)}
