"""GELU: Wan's form, and the exact one where a CPU computes bf16."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vfe.models.dit.gelu import Gelu

X = torch.linspace(-6, 6, 4001, dtype=torch.float64)


def by_tanh(x: Tensor) -> Tensor:
    return x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def by_erf(x: Tensor) -> Tensor:
    return x / 2 * (1 + torch.erf(x / math.sqrt(2)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_it_is_that_of_wan(dtype: torch.dtype) -> None:
    x = X.to(dtype)
    torch.testing.assert_close(Gelu()(x), by_tanh(x.double()).to(dtype), atol=1e-6, rtol=1e-3)
    assert (by_tanh(X) - by_erf(X)).abs().max() > 1e-4  # the two can be told apart


def test_in_bf16_on_a_cpu_it_is_exact() -> None:
    x = X.bfloat16()
    result = Gelu()(x)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result, by_erf(x.double()).bfloat16(), atol=1e-6, rtol=2**-7)


def test_the_two_forms_differ_by_less_than_the_docstring_says() -> None:
    assert (by_tanh(X) - by_erf(X)).abs().max() < 5e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("exact", [False, True])
def test_in_place_it_is_the_same(dtype: torch.dtype, exact: bool) -> None:
    x, gelu = X.to(dtype), Gelu(exact)
    expected = gelu(x)
    result = gelu.in_place(x)
    assert result.data_ptr() == x.data_ptr()
    torch.testing.assert_close(result, expected, rtol=0, atol=0)


def test_it_is_exact_where_it_is_told_to() -> None:
    torch.testing.assert_close(Gelu(exact=True)(X), by_erf(X))
