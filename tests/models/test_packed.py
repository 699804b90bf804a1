"""Layers of packed weights compute what layers of the unpacked ones do: folded, changed by LoRAs, moved, compiled."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from benchmarks.traffic import peak_bytes
from tests.support.tiny_dit import psnr
from vfe.models.dit import packed
from vfe.models.dit.experts import ExpertChoice, ExpertLinear
from vfe.models.dit.fold_linear import fold_input, fold_output
from vfe.models.dit.packed import PIECE_BYTES, LowRank, PackedLinear, dense_weight
from vfe.quants.block_format import BlockFormat
from vfe.quants.blocks_of_32 import Q4_0, Q5_1, Q8_0
from vfe.quants.blocks_of_256 import Q2_K, Q3_K, Q4_K, Q5_K, Q6_K

FORMATS = (Q4_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K)


def layer(form: BlockFormat = Q4_K, inputs: int = 512, outputs: int = 40, bias: bool = True) -> PackedLinear:
    """Of drawn bytes, whose scales are small enough for weights around 1."""
    generator = torch.Generator().manual_seed(form.bytes)
    blocks = torch.randint(0, 256, (outputs, inputs // form.values, form.bytes), dtype=torch.uint8, generator=generator)
    for start in form.halves:
        scale = (1e-4 * torch.randn(*blocks.shape[:2], 1, generator=generator)).half()
        blocks[..., start : start + 2] = scale.view(torch.uint8)
    packed = PackedLinear(form, nn.Linear(inputs, outputs, bias=bias).requires_grad_(False))
    packed.load_state_dict({**packed.state_dict(), "weight": blocks}, assign=True)
    return packed.requires_grad_(False)


def plain(of: PackedLinear) -> nn.Linear:
    linear = nn.Linear(of.in_features, of.out_features, bias=of.bias is not None).requires_grad_(False)
    linear.weight.copy_(of.form.unpack(of.weight))
    if of.bias is not None:
        linear.bias.copy_(of.bias)
    return linear


def change(rank: int = 3, inputs: int = 512, outputs: int = 40) -> LowRank:
    torch.manual_seed(rank)
    return LowRank(0.6, torch.randn(outputs, rank) * 0.1, torch.randn(rank, inputs) * 0.1)


X = torch.randn(2, 5, 512, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@pytest.mark.parametrize("bias", [True, False])
def test_equals_the_unpacked_layer(form: BlockFormat, bias: bool) -> None:
    of = layer(form, bias=bias)
    assert torch.equal(of(X), plain(of)(X))
    assert of.weight.nbytes == 40 * 512 // form.values * form.bytes
    assert psnr(of(X.bfloat16()), plain(of)(X)) > 40
    assert of(X.half()).dtype == torch.float16


def test_pieces_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    of = layer()
    of.add(change())
    fold_output(of, torch.linspace(0.5, 2, 40), torch.float32)
    whole = of.dense(torch.float32)
    monkeypatch.setattr(packed, "PIECE", 3 * 512)
    assert torch.allclose(of.dense(torch.float32), whole, rtol=1e-6, atol=1e-7)


def folded(linear: nn.Linear | PackedLinear) -> nn.Linear | PackedLinear:
    scale, shift, gate = torch.linspace(0.2, 3, 512), torch.linspace(-1, 1, 512), torch.linspace(-2, 2, 40)
    return fold_output(fold_input(linear, scale, shift, torch.float32), gate, torch.float32)


def test_folding_and_loras_equal_those_of_the_unpacked_layer() -> None:
    of = layer()
    linear = plain(of)
    for rank in (3, 5):
        of.add(change(rank))
        scale, up, down = change(rank)
        linear.weight.addmm_(up, down, alpha=scale)
    blocks = of.weight.clone()
    expected = folded(linear)(X)
    assert (folded(of)(X) - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert torch.equal(of.weight, blocks)
    assert torch.allclose(dense_weight(of), linear.weight, rtol=1e-5, atol=1e-7)


def test_experts_beside_it_fold_as_beside_the_unpacked_layer() -> None:
    outputs, of = [], layer()
    for base in (plain(of), of):
        torch.manual_seed(5)
        both = ExpertLinear(plain(of), 2, 3, ExpertChoice((0.5,))).requires_grad_(False)
        both.up.normal_()
        both.base = base
        fold_input(both, torch.linspace(0.2, 3, 512), torch.linspace(-1, 1, 512), torch.float32)
        fold_output(both, torch.linspace(-2, 2, 40), torch.float32)
        outputs.append(both(X))
    assert (outputs[0] - outputs[1]).abs().max() <= 1e-5 * outputs[1].abs().max()


def test_what_is_rounded_with_the_weight_stays_exact() -> None:
    """Cast to bf16, it gives the exact weight rounded once; its blocks are bytes, which no cast changes."""
    of = folded(layer())
    assert isinstance(of, PackedLinear)
    of.add(change())
    exact = of.dense(torch.float32)
    half = copy.deepcopy(of).to(torch.bfloat16)
    assert half.weight.dtype == torch.uint8
    assert half.bias.dtype == torch.bfloat16
    assert torch.equal(half.dense(torch.bfloat16), exact.bfloat16())


def test_all_of_it_is_moved() -> None:
    of = folded(layer())
    assert isinstance(of, PackedLinear)
    of.add(change())
    moved = copy.deepcopy(of).to("meta")
    assert all(value.is_meta for value in moved.state_dict().values())
    assert moved(X.to("meta")).is_meta
    assert of.dense(
        torch.float32, torch.device("meta")
    ).is_meta  # from where it is, as a host with little memory runs it


def test_compiled_it_gives_the_same() -> None:
    of = layer()
    compiled = torch.compile(of, backend="aot_eager", dynamic=False)
    assert torch.allclose(compiled(X), of(X), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_unpacking_takes_what_the_plan_counts(form: BlockFormat) -> None:
    inputs, outputs = 2048, 2 * packed.PIECE // 2048
    of = layer(form, inputs, outputs)
    measured = peak_bytes(lambda: of.dense(torch.bfloat16)) - 2 * inputs * outputs
    assert PIECE_BYTES * packed.PIECE / 2 <= measured <= PIECE_BYTES * packed.PIECE
