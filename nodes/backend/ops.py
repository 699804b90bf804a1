"""The classes of layers that vfe's networks are built of here: ComfyUI's own, which it offloads, casts and patches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.ops
from torch import Tensor

from ...vfe.models.dit.packed import PackedLinear
from ...vfe.models.ops import RMSNorm as OwnRMSNorm


class RMSNorm(comfy.ops.manual_cast.RMSNorm):
    """ComfyUI's RMSNorm; where its weight is on the device it computes as vfe's does, which is faster on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis of (..., C)."""
        if self.weight.device == x.device and not self.weight_function:
            return OwnRMSNorm.forward(self, x)
        return super().forward(x)


class ComfyPackedLinear(PackedLinear):
    """A layer of packed weights that ComfyUI loads, unloads and leaves behind as it does its own.

    It unpacks on the device of its input. ComfyUI patches neither its weight nor its bias.
    """

    comfy_cast_weights = True
    """By which ComfyUI knows that it may leave the layer on the CPU."""


class ComfyOps:
    """The classes of layers, as `vfe.models.ops.Ops` names them."""

    Linear: Callable[..., Any] = comfy.ops.manual_cast.Linear
    Conv2d: Callable[..., Any] = comfy.ops.manual_cast.Conv2d
    Conv3d: Callable[..., Any] = comfy.ops.manual_cast.Conv3d
    LayerNorm: Callable[..., Any] = comfy.ops.manual_cast.LayerNorm
    RMSNorm: Callable[..., Any] = RMSNorm


COMFY_OPS = ComfyOps()
