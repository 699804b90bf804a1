"""Linear layers in int8, for CPUs without fast half precision: torch's dynamic quantisation, and our own choice.

N rows, I inputs, O outputs.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from .folded import FoldedBlock, FoldedDiT
from .gelu import Gelu

INT8_MAX = 127
KERNELS = ("x86", "fbgemm")
"""The engines of torch whose kernels are faster than float32; that of ARM is not."""


def has_fast_int8() -> bool:
    """Whether this build of torch has kernels that multiply int8 faster than float32.

    It is to lose them: newer builds warn that quantised tensors will be removed. Then float32 does it all again.
    """
    return torch.backends.quantized.engine in KERNELS and hasattr(torch, "quantize_per_channel")


class Int8Linear(nn.Module):
    """A linear layer with weights of 8 bits and a scale for each output, (N, I) -> (N, O) float32.

    Inputs are rounded as they come, with one scale for all.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach().float()
        scales = weight.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / INT8_MAX
        offsets = torch.zeros(len(weight), dtype=torch.int64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of the removal, which has_fast_int8 will notice
            rounded = torch.quantize_per_channel(weight, scales.double(), offsets, 0, torch.qint8)
        bias = None if linear.bias is None else linear.bias.detach().float()
        self.packed = torch.ops.quantized.linear_prepack(rounded, bias)

    def forward(self, x: Tensor) -> Tensor:
        # Inputs of 7 bits: sums of products of 8 overflow on CPUs without VNNI.
        result: Tensor = torch.ops.quantized.linear_dynamic(x, self.packed, reduce_range=True)
        return result


def quantise(dit: FoldedDiT) -> None:
    """Compute the linear layers of all blocks in int8 and their GELU exactly, which is twice as fast as by tanh.

    Patch embedding and head stay in float32, and the result is within 45 dB of theirs. In place; the model can be
    neither cast nor trained afterwards.
    """
    for block in dit.blocks:
        assert isinstance(block, FoldedBlock)
        _quantise_linears(block)


def _quantise_linears(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, Int8Linear(child))
        elif isinstance(child, Gelu):
            setattr(module, name, Gelu(exact=True))
        else:
            _quantise_linears(child)
