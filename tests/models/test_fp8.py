"""Weights in 8 bits: how far off they are, how much they take, and that the network still runs."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tests.support.tiny_dit import TIMESTEP, padded_prompt, psnr, random_dit, random_latent, tiny_config
from vfe.models.dit.folded import FoldedDiT, fold
from vfe.models.dit.fp8 import Fp8Linear, quantise, store_fp8

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def wide_folded(dtype: torch.dtype) -> FoldedDiT:
    """Wide enough for weights to outweigh biases and scales."""
    return fold(random_dit(tiny_config(dim=96, ffn_dim=256)), TIMESTEP, padded_prompt(1, 8, 16), dtype)


def test_a_weight_is_off_by_a_sixteenth_of_itself() -> None:
    torch.manual_seed(0)
    rows = torch.randn(64, 33) * torch.logspace(-6, 3, 64)[:, None]
    rows[3] = 0
    rows[4, 0] = 448.0
    weight, scale = quantise(rows)
    error = (weight.float() * scale - rows).abs()
    assert weight.dtype == torch.float8_e4m3fn
    assert scale.dtype == torch.float32
    assert (error <= rows.abs() * 2**-4 + scale * 2**-10).all()
    largest = rows.abs().amax(dim=1, keepdim=True)
    assert (error <= largest * 2**-4).all()
    assert (weight[3].float() == 0).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_scales_are_multiplied_without_rounding(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    weight, scale = quantise(torch.randn(64, 33) * torch.logspace(-2, 2, 64)[:, None])
    assert (torch.frexp(scale).mantissa == 0.5).all()
    product = weight.to(dtype) * scale.to(dtype)
    smallest = 0.0 if dtype == torch.bfloat16 else 2.0**-14  # fp16 has no smaller normal numbers
    exact = weight.float() * scale
    normal = exact.abs() >= smallest
    assert normal.float().mean() > 0.9
    assert torch.equal(product.float()[normal], exact[normal])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_computes_in_the_dtype_of_its_input(dtype: torch.dtype, bias: bool) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(20, 7, bias=bias)
    x = torch.randn(3, 5, 20)
    stored = Fp8Linear(linear)
    out = stored(x.to(dtype))
    exact = nn.functional.linear(x, stored.weight.float() * stored.scale, linear.bias)
    assert out.dtype == dtype
    assert psnr(out, exact) > 45
    assert psnr(out, linear(x)) > 25


@pytest.mark.parametrize("dtype", DTYPES)
def test_blocks_take_half_of_bf16_and_velocities_stay_near(dtype: torch.dtype) -> None:
    full, small = wide_folded(torch.bfloat16), wide_folded(dtype)
    latent = random_latent(full.config, (2, 6, 4))
    store_fp8(small.blocks)
    assert not [module for module in small.blocks.modules() if isinstance(module, nn.Linear)]
    assert isinstance(small.head, nn.Linear)
    weights = [module.weight for module in small.modules() if isinstance(module, Fp8Linear)]
    assert sum(weight.nbytes for weight in weights) * 2 == sum(
        module.weight.nbytes for module in full.blocks.modules() if isinstance(module, nn.Linear)
    )
    with torch.no_grad():
        assert psnr(small(latent.to(dtype)), full(latent.bfloat16())) > 40  # 44.6 and more were measured


def test_all_bytes_of_the_blocks_halve() -> None:
    full = wide_folded(torch.bfloat16)
    small = copy.deepcopy(full)
    store_fp8(small.blocks)
    before, after = (sum(x.nbytes for x in model.blocks.state_dict().values()) for model in (full, small))
    assert after < 0.56 * before  # biases and scales are 5 % at this width


def test_an_unfolded_model_runs_too() -> None:
    config = tiny_config()
    model, latent, prompt = random_dit(config), random_latent(config, (2, 6, 4)), padded_prompt(1, 8, 16)
    exact = model(latent, TIMESTEP, prompt)
    store_fp8(model.blocks)
    assert psnr(model(latent, TIMESTEP, prompt), exact) > 25
