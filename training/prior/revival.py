"""How much of a codebook is used, and new places for entries that nothing is near to (Jukebox, Dhariwal et al. 2020).

K entries of width d.
"""

from __future__ import annotations

import torch
from accelerate import PartialState
from accelerate.utils import reduce
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
        """Count (...) indices, and keep latents (..., d) spread evenly over the batch, of all processes together.

        Summed at once, as buffers of a model that several processes train are copied from the first one to the others.
        """
        self.counts += reduce(torch.bincount(indices.flatten(), minlength=len(self.counts)).float(), "sum")
        flat, state = latents.reshape(-1, latents.shape[-1]), PartialState()
        everywhere = len(flat) * state.num_processes
        places = torch.linspace(0, everywhere - 1, len(self.candidates), device=flat.device).long()
        mine = places // len(flat) == state.process_index
        self.candidates.copy_(reduce(flat[places % len(flat)] * mine[:, None], "sum"))

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
