"""The layer classes that the networks are built of where no host brings its own (ComfyUI's offload, cast and patch)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class RMSNorm(nn.RMSNorm):
    """torch's, with the weight in the input's dtype: mixed dtypes, as under autocast, fall off the fused kernel."""

    def forward(self, x: Tensor) -> Tensor:
        weight = None if self.weight is None else self.weight.to(x.dtype)
        return F.rms_norm(x, self.normalized_shape, weight, self.eps)


class TorchOps:
    """Plain torch layers."""

    Linear = nn.Linear
    Conv2d = nn.Conv2d
    Conv3d = nn.Conv3d
    LayerNorm = nn.LayerNorm
    RMSNorm = RMSNorm
