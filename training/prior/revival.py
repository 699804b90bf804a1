"""How much of a codebook is used, and new places for entries that nothing is near to (Jukebox, Dhariwal et al. 2020).

K entries of width d.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn

from vfe.models.prior.codebook import Codebook


def summed(values: Tensor) -> Tensor:
    """The sum of `values` over all processes of the run, in place; the values themselves where there is one process."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(values)
    return values


class CodebookUsage(nn.Module):
    """Counts how often each codebook entry was used since the last revival, and holds latents to revive unused ones
    with.

    All of it is in buffers, so that a resumed run goes on with them.
    """

    counts: Tensor  # (K,)
    candidates: Tensor  # (K, d)

    def __init__(self, entries: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(entries))
        self.register_buffer("candidates", torch.zeros(entries, dim))

    @torch.no_grad()
    def see(self, indices: Tensor, latents: Tensor) -> None:
        """Count `indices` (...), and take candidates from `latents` (..., d), evenly spaced over the batch of all
        processes.

        Sums over processes are made at once: the buffers of a model that several processes train are copied from the
        first process to the others.
        """
        self.counts += summed(torch.bincount(indices.flatten(), minlength=len(self.counts)).float())
        flat = latents.reshape(-1, latents.shape[-1])
        together = distributed.is_available() and distributed.is_initialized()
        processes, rank = (distributed.get_world_size(), distributed.get_rank()) if together else (1, 0)
        places = torch.linspace(0, len(flat) * processes - 1, len(self.candidates), device=flat.device).long()
        mine = places // len(flat) == rank
        self.candidates.copy_(summed(flat[places % len(flat)] * mine[:, None]))

    @torch.no_grad()
    def revive(self, codebook: Codebook) -> dict[str, float]:
        """Move entries that were never used to latents of the last batch, and count anew.

        Returns `used`, the share of entries that were used, and `perplexity`, the exponential of their entropy.
        """
        share = self.counts / self.counts.sum().clamp(min=1)
        dead = self.counts == 0
        codebook.entries[dead] = self.candidates[dead].to(codebook.entries.dtype)
        self.counts.zero_()
        perplexity = torch.special.entr(share).sum().exp()
        return {"used": float((~dead).float().mean()), "perplexity": float(perplexity)}
