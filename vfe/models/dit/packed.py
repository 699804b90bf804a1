"""Linear layers whose weights stay in packed numbers, such as Q4_K, and are unpacked when the layer runs.

What is done to the weight of other layers is kept beside it and done to what is unpacked, in float32 and rounded once:
low-rank changes of LoRAs, and the scales of inputs and outputs that folding gives.

I inputs, O outputs, r rank.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...quants.block_format import BlockFormat

PIECE = 1 << 22
"""The numbers that are unpacked at a time, in whole rows: our own choice, so that what this takes is bounded."""
PIECE_BYTES = 12
"""The most bytes that unpacking takes for each number of a piece: 8.1 to 11.3 were measured, the most for Q5_K."""


class LowRank(NamedTuple):
    """The change of a weight by a LoRA: scale B A."""

    scale: float
    up: Tensor  # B (O, r)
    down: Tensor  # A (r, I)


class PackedLinear(nn.Module):
    """y = x W^T + bias, in the dtype of x (..., I); W = columns (unpacked + changes) rows."""

    def __init__(self, form: BlockFormat, linear: nn.Linear) -> None:
        """Take the place of `linear`, with weights of this format that are to be loaded; ValueError for odd rows."""
        super().__init__()
        outputs, inputs = linear.weight.shape
        blocks = torch.empty(outputs, form.blocks_of(inputs), form.bytes, dtype=torch.uint8, device="meta")
        self.form = form
        self.in_features, self.out_features = inputs, outputs
        self.weight = _fixed(blocks)
        self.bias = linear.bias
        self.columns: nn.Parameter | None = None
        self.rows: nn.Parameter | None = None
        self.changes = 0

    def add(self, change: LowRank) -> None:
        """Change the weight, whenever it is unpacked, by a LoRA; in the dtype of its factors."""
        number = self.changes
        self.register_parameter(f"up{number}", _fixed(change.up.flatten(1)))
        self.register_parameter(f"down{number}", _fixed(change.down.flatten(1)))
        self.register_parameter(f"scale{number}", _fixed(torch.tensor([change.scale])))
        self.changes = number + 1

    def scale_input(self, scale: Tensor) -> None:
        """Multiply the columns of the weight by `scale` (I,)."""
        self.columns = _fixed(scale.float() if self.columns is None else self.columns * scale.float())

    def scale_output(self, scale: Tensor) -> None:
        """Multiply the rows of the weight by `scale` (O,)."""
        self.rows = _fixed(scale.float() if self.rows is None else self.rows * scale.float())

    def dense(self, dtype: torch.dtype, device: torch.device | None = None) -> Tensor:
        """Return the weight (O, I) on a device, or where it is; unpacked a piece at a time, each rounded once."""
        device = self.weight.device if device is None else device
        weight = torch.empty(self.out_features, self.in_features, dtype=dtype, device=device)
        step = max(1, PIECE // self.in_features)
        for start in range(0, self.out_features, step):
            piece = slice(start, start + step)
            weight[piece] = self._unpack(piece, device)
        return weight

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.device, x.dtype)
        return F.linear(x, self.dense(x.dtype, x.device), bias)

    def _unpack(self, piece: slice, device: torch.device) -> Tensor:
        weight = self.form.unpack(self.weight[piece].to(device))
        for number in range(self.changes):
            scale, up, down = (self.get_parameter(f"{part}{number}") for part in ("scale", "up", "down"))
            weight.addmm_(up[piece].to(device).float() * scale.to(device), down.to(device).float())
        if self.columns is not None:
            weight *= self.columns.to(device)
        if self.rows is not None:
            weight *= self.rows[piece, None].to(device)
        return weight

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> PackedLinear:
        """Let `fn` move or cast the layer, but keep in float32 what is rounded with the weight, once."""
        exact = {name: value.detach() for name, value in self.named_parameters() if name not in ("weight", "bias")}
        super()._apply(fn, recurse)
        for name, value in exact.items():
            self._parameters[name] = _fixed(value.to(self.weight.device))
        return self


def dense_weight(linear: nn.Linear | PackedLinear) -> Tensor:
    """Return the weight (O, I) of a layer in float32."""
    return linear.dense(torch.float32) if isinstance(linear, PackedLinear) else linear.weight.float()


def _fixed(value: Tensor) -> nn.Parameter:
    return nn.Parameter(value, requires_grad=False)
