"""The layer classes of which models are built: torch's, or those of a host, as ComfyUI's that offload and patch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Ops(Protocol):
    """Layer classes that are called as those of torch.nn."""

    Linear: Callable[..., Any]
    Conv2d: Callable[..., Any]
    Conv3d: Callable[..., Any]
    LayerNorm: Callable[..., Any]
    RMSNorm: Callable[..., Any]


class RMSNorm(nn.RMSNorm):
    """torch.nn.RMSNorm in three passes over memory, where torch takes six on a CPU; sums are in float32."""

    def forward(self, x: Tensor) -> Tensor:
        mean_square = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32).square() / x.shape[-1]
        x = x * (mean_square + self.eps).rsqrt().to(x.dtype)
        return x if self.weight is None else x * self.weight.to(x.dtype)


class TorchOps:
    """The layers of torch."""

    Linear: Callable[..., Any] = nn.Linear
    Conv2d: Callable[..., Any] = nn.Conv2d
    Conv3d: Callable[..., Any] = nn.Conv3d
    LayerNorm: Callable[..., Any] = nn.LayerNorm
    RMSNorm: Callable[..., Any] = RMSNorm


TORCH_OPS = TorchOps()
