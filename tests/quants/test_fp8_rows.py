"""Rows packed as float8 are what `store_fp8` stores."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vfe.models.dit.fp8 import Fp8Linear, quantise
from vfe.models.dit.packed import PackedLinear
from vfe.quants.fp8_rows import fp8_rows, pack_rows


@pytest.mark.parametrize(("outputs", "inputs"), [(7, 33), (1, 5), (16, 64)])
def test_packed_rows_equal_the_layer_of_8_bits(outputs: int, inputs: int) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(inputs, outputs).requires_grad_(False)
    linear.weight *= torch.logspace(-3, 2, outputs)[:, None]
    packed, stored = PackedLinear(fp8_rows(inputs), linear), Fp8Linear(linear)
    blocks = pack_rows(*quantise(linear.weight))
    assert blocks.shape == (outputs, 1, inputs + 4)
    packed.load_state_dict({"weight": blocks, "bias": linear.bias}, assign=True)
    assert torch.equal(packed.dense(torch.float32), stored.weight.float() * stored.scale)
    x = torch.randn(3, inputs)
    assert torch.equal(packed(x), stored(x))
    assert torch.equal(packed.form.unpack(blocks[-1:]), packed.dense(torch.float32)[-1:])  # bytes that are not aligned
