"""The clips of one step of distillation.

B batch, T H W frames, t h w latent grid; z latent (B, C, t, h, w); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class DistillBatch(NamedTuple):
    """Degraded clips and, where they are known, the clean clips that they were made of."""

    z_lq: Tensor
    """The degraded latent."""
    z_hq: Tensor
    """The clean latent; of clips that are not paired it says nothing and is not read."""
    degraded: Tensor
    clean: Tensor
    """Of clips that are not paired it says nothing and is not read."""
    mask: Tensor
    """The face mask (B, 1, T, H, W)."""
    paired: Tensor
    """Whether the clean clip is known, (B,) bool: not so of real footage."""
    milder: Tensor | None = None
    """The milder twin of `degraded`, of the same crop, where the method asks for one; of pairs alone."""


def pairs_of(batch: DistillBatch, z_hq: Tensor) -> tuple[DistillBatch, Tensor, float]:
    """The clips of a batch whose clean clip is known, their restored latents, and their share of the batch.

    What is a mean over these clips times that share is a mean over the batch.
    """
    paired = batch.paired
    if bool(paired.all()):
        return batch, z_hq, 1.0
    return chosen(batch, paired), z_hq[paired], float(paired.float().mean())


def chosen(batch: DistillBatch, clips: Tensor | slice) -> DistillBatch:
    """Some clips of a batch, by a bool for each or by a slice."""
    z_lq, z_hq, degraded, clean, mask, paired = (part[clips] for part in batch[:-1])
    milder = None if batch.milder is None else batch.milder[clips]
    return DistillBatch(z_lq, z_hq, degraded, clean, mask, paired, milder)
