"""Who reads the prior of a burst's restorer: the model as when it restores, or one that is shown the clean clip.

Codes of the clean clip are the best that any predictor could name: what they gain is the most that a prior of these
codebooks can give, and what is left of it is the predictors' to find. Never for a model that is to be used.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from vfe.models.lite import LiteModel
from vfe.models.prior import Prior
from vfe.types import never_cancelled

from ..prior.naming import target_codes


class PriorReader(Protocol):
    """The prior of clips for a model, or None for one without."""

    def __call__(self, net: LiteModel, degraded: Tensor, clean: Tensor) -> Prior | None:
        """`degraded` and `clean` are (B, 3, T, S, S) in [-1, 1]."""


@torch.no_grad()
def predicted_codes(net: LiteModel, degraded: Tensor, clean: Tensor) -> Prior | None:  # noqa: ARG001 - a PriorReader
    return net.read_prior(degraded, never_cancelled)


@torch.no_grad()
def true_codes(net: LiteModel, degraded: Tensor, clean: Tensor) -> Prior | None:  # noqa: ARG001 - a PriorReader
    """The entries nearest to the clean clip, by the encoder that was trained with the codebooks."""
    if net.prior is None:
        return None
    codes = target_codes(net.prior, clean)
    return Prior.of(codes.spatial.codes, codes.temporal.codes)
