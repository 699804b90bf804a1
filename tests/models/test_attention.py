"""Attention kernels by name: stand-ins with the real packages' signatures show what is used and what is refused."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from tests.support.tiny_dit import TIMESTEP, padded_prompt, psnr, random_dit, random_latent, tiny_config
from vfe.models.dit.attention_backends import AttentionBackend, choose_attention
from vfe.models.dit.folded import fold
from vfe.models.dit.model import DiTConfig, WanDiT
from vfe.models.dit.window_attention import attend
from vfe.types import VFEError

CPU = torch.device("cpu")


class Calls:
    """How often a stand-in was called, with what shape last."""

    def __init__(self) -> None:
        self.count = 0
        self.shape: torch.Size | None = None

    def note(self, q: Tensor) -> None:
        self.count += 1
        self.shape = q.shape


def softmax_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v)


Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def fake_flash_2(calls: Calls, attention: Attention = softmax_attention) -> ModuleType:
    """As flash_attn 2.x: (B, L, N, d), half precision, heads of up to 256."""

    def flash_attn_func(
        q: Tensor, k: Tensor, v: Tensor, dropout_p: float = 0.0, softmax_scale: float | None = None
    ) -> Tensor:
        assert dropout_p == 0.0
        assert softmax_scale is None
        if q.dtype not in (torch.float16, torch.bfloat16):
            raise RuntimeError("FlashAttention only support fp16 and bf16 data type\nmore lines")
        if q.shape[-1] > 256:
            raise RuntimeError("FlashAttention forward only supports head dimension at most 256")
        calls.note(q)
        return attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2)

    return module("flash_attn", flash_attn_func=flash_attn_func)


def fake_flash_3(calls: Calls, attention: Attention = softmax_attention) -> ModuleType:
    """As the betas of flash_attn_interface: (out, log-sum-exp)."""

    def flash_attn_func(
        q: Tensor, k: Tensor, v: Tensor, softmax_scale: float | None = None, causal: bool = False
    ) -> tuple[Tensor, Tensor]:
        assert softmax_scale is None
        assert not causal
        calls.note(q)
        out = attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2)
        return out, torch.zeros(q.shape[0], q.shape[2], q.shape[1])

    return module("flash_attn_interface", flash_attn_func=flash_attn_func)


def fake_sage(calls: Calls, attention: Attention = softmax_attention) -> ModuleType:
    def sageattn(q: Tensor, k: Tensor, v: Tensor, tensor_layout: str = "HND", is_causal: bool = False) -> Tensor:
        assert tensor_layout == "HND"
        assert not is_causal
        calls.note(q)
        return attention(q, k, v)

    return module("sageattention", sageattn=sageattn)


def module(name: str, **contents: Callable[..., Any]) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(contents)
    return made


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("flash_attn", "flash_attn_interface", "sageattention"):
        monkeypatch.setitem(sys.modules, name, None)


Install = Callable[[ModuleType], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    return lambda made: monkeypatch.setitem(sys.modules, made.__name__, made)


def velocity(config: DiTConfig, backend: AttentionBackend) -> Tensor:
    """Of a folded random model in bf16 that was built with `backend`."""
    model = WanDiT(config, attention=backend)
    model.load_state_dict(random_dit(config).state_dict())
    latent = random_latent(config, (2, 8, 8), batch=2).bfloat16()
    return fold(model, TIMESTEP, padded_prompt(1, 8, config.text_dim), torch.bfloat16)(latent)


def test_the_default_is_sdpa() -> None:
    assert choose_attention("sdpa", CPU, torch.float32, 128) is attend
    assert WanDiT(tiny_config(layers=1)).blocks[0].self_attn.attention is attend  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fake", "layout"),
    [
        ("flash", fake_flash_2, (2, 32, 2, 12)),
        ("flash", fake_flash_3, (2, 32, 2, 12)),
        ("sage", fake_sage, (2, 2, 32, 12)),
    ],
)
def test_an_installed_kernel_is_called_in_its_layout(
    name: str, fake: Callable[[Calls], ModuleType], layout: tuple[int, ...], install: Install
) -> None:
    calls, config = Calls(), tiny_config()
    install(fake(calls))
    backend = choose_attention(name, CPU, torch.bfloat16, config.head_dim)
    calls.count = 0
    assert psnr(velocity(config, backend), velocity(config, attend)) > 45
    assert calls.count == config.layers
    assert calls.shape == layout


def test_flash_3_is_preferred_and_2_is_its_fallback(install: Install) -> None:
    def wrong_chip(*_: Tensor) -> Tensor:
        raise RuntimeError("FlashAttention only supports Hopper GPUs or newer.")

    two, three = Calls(), Calls()
    install(fake_flash_2(two))
    install(fake_flash_3(three))
    choose_attention("flash", CPU, torch.bfloat16, 64)
    assert (two.count, three.count) == (0, 1)
    install(fake_flash_3(three, wrong_chip))
    choose_attention("flash", CPU, torch.bfloat16, 64)
    assert two.count == 1


def test_windows_that_need_a_mask_go_to_sdpa(install: Install) -> None:
    calls = Calls()
    install(fake_flash_2(calls))
    config = tiny_config(patch=(1, 1, 1), window=(1, 4, 4), layers=2)
    backend = choose_attention("flash", CPU, torch.bfloat16, config.head_dim)
    calls.count = 0
    assert psnr(velocity(config, backend), velocity(config, attend)) > 45
    assert calls.count == 1  # the block whose windows are not shifted
    assert calls.shape == (2 * 8, 16, 2, 12)  # windows are a batch


def transposed(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return softmax_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2)


WRONG: list[Attention] = [
    transposed,
    lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
    lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=1.0 / q.shape[-1]),
    lambda q, k, v: softmax_attention(q, k, v) * 1.03,
    lambda q, k, v: softmax_attention(q, k, v) * math.nan,
    lambda q, k, v: softmax_attention(q, k, v)[:, :1],
]


@pytest.mark.parametrize("wrong", WRONG, ids=["layout", "causal", "scale", "3 % too large", "nan", "one head"])
def test_a_kernel_with_wrong_numbers_is_refused(wrong: Attention, install: Install) -> None:
    install(fake_flash_2(Calls(), wrong))
    with pytest.raises(VFEError, match=r"flash_attn is off by .* from SDPA, allowed are 2%.*use attention 'sdpa'"):
        choose_attention("flash", CPU, torch.bfloat16, 64)


def test_sage_may_be_off_by_its_quantisation_but_not_by_more(install: Install) -> None:
    install(fake_sage(Calls(), lambda q, k, v: softmax_attention(q, k, v) * 1.05))
    choose_attention("sage", CPU, torch.float16, 64)
    install(fake_sage(Calls(), lambda q, k, v: softmax_attention(q, k, v) * 1.2))
    with pytest.raises(VFEError, match="sageattention is off by 20"):
        choose_attention("sage", CPU, torch.float16, 64)


@pytest.mark.parametrize(("name", "missing"), [("flash", "flash_attn_interface.*and flash_attn"), ("sage", "sage")])
def test_what_is_not_installed_is_named(name: str, missing: str) -> None:
    with pytest.raises(
        VFEError, match=f"attention '{name}' was asked for on cpu .*{missing}.* is not installed"
    ) as got:
        choose_attention(name, CPU, torch.bfloat16, 128)
    assert "\n" not in str(got.value)


@pytest.mark.parametrize(
    ("dtype", "head_dim", "reason"), [(torch.float32, 128, "only support fp16"), (torch.float16, 384, "at most 256")]
)
def test_what_the_kernel_cannot_do_is_named(dtype: torch.dtype, head_dim: int, reason: str, install: Install) -> None:
    install(fake_flash_2(Calls()))
    with pytest.raises(VFEError, match=f"{dtype} with heads of {head_dim}.*{reason}.*use attention 'sdpa'") as got:
        choose_attention("flash", CPU, dtype, head_dim)
    assert "\n" not in str(got.value)


def test_a_package_without_the_function_is_refused(install: Install) -> None:
    install(module("sageattention"))
    with pytest.raises(VFEError, match="sageattention does not run here"):
        choose_attention("sage", CPU, torch.bfloat16, 64)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(VFEError, match="unknown attention 'flesh'; have sdpa, flash, sage"):
        choose_attention("flesh", CPU, torch.bfloat16, 64)


def test_sdpa_on_windows_never_makes_a_matrix_of_all_pairs() -> None:
    """The fused kernel takes them: given an axis for windows of its own it would not, and here raise."""
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 1, 2, 2, 256, 8).unbind(0)  # batch, windows, heads
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        out = attend(q, k, v, None)
    assert torch.allclose(out, (q @ k.mT / math.sqrt(8)).softmax(-1) @ v, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2])
def test_sdpa_takes_masked_windows_and_a_prompt_without_batch(batch: int) -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, batch, 3, 2, 170, 8).unbind(0)
    mask = torch.zeros(3, 1, 170, 170).masked_fill_(torch.rand(3, 1, 170, 170) < 0.3, -math.inf)
    expected = (q @ k.mT / math.sqrt(8) + mask).softmax(-1) @ v
    assert torch.allclose(attend(q, k, v, mask), expected, atol=1e-5)
    bias = torch.randn(1, 1, 1, 170)
    expected = (q[0] @ k[:1, 0].mT / math.sqrt(8) + bias).softmax(-1) @ v[:1, 0]
    assert torch.allclose(attend(q[0], k[:1, 0], v[:1, 0], bias), expected, atol=1e-5)
