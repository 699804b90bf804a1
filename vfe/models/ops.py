"""The layer classes of which models are built: torch's, or those of a host, as ComfyUI's that offload and patch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from einops import rearrange
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


class Conv3d(nn.Conv3d):
    """torch.nn.Conv3d, which a CPU computes as a 2-D convolution: the frames that a kernel sees are channels to it.

    PyTorch's own arranges its input anew: in float32 lite's patch embedding took two to three times as long. And in
    bfloat16 its gradients are wrong or damage the heap on a CPU with AMX (PyTorch 2.9 to 2.13, by oneDNN); those of
    Conv2d are right.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (B, C, T, H, W)."""
        if x.device.type != "cpu" or isinstance(self.padding, str) or self.dilation[0] > 1:
            return super().forward(x)
        along, *across = self.padding
        if self.padding_mode != "zeros":
            x, across = F.pad(x, self._reversed_padding_repeated_twice, self.padding_mode), [0, 0]
        elif along:
            x = F.pad(x, (0, 0, 0, 0, along, along))
        seen = rearrange(x.unfold(2, self.kernel_size[0], self.stride[0]), "b c t h w k -> (b t) (c k) h w")
        kernel = rearrange(self.weight, "o c k h w -> o (c k) h w")
        y = F.conv2d(seen, kernel, self.bias, self.stride[1:], across, self.dilation[1:], self.groups)
        return rearrange(y, "(b t) c h w -> b c t h w", b=len(x))


class TorchOps:
    """The layers of torch."""

    Linear: Callable[..., Any] = nn.Linear
    Conv2d: Callable[..., Any] = nn.Conv2d
    Conv3d: Callable[..., Any] = Conv3d
    LayerNorm: Callable[..., Any] = nn.LayerNorm
    RMSNorm: Callable[..., Any] = RMSNorm


TORCH_OPS = TorchOps()
