"""Bursts compute in bf16 where the device is fast in it, and in float32 on CPUs that take minutes for seconds."""

from __future__ import annotations

import pytest
import torch

import vfe.device
from training.burst import precision
from training.burst.precision import fast_autocast


@pytest.mark.parametrize(
    ("has", "has_fast", "expected"),
    [(False, False, torch.float32), (True, False, torch.float32), (True, True, torch.bfloat16)],
)
def test_products_are_of_the_fastest_format(
    monkeypatch: pytest.MonkeyPatch, has: bool, has_fast: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr(vfe.device, "cpu_has_bf16", lambda: has)
    monkeypatch.setattr(vfe.device, "cpu_has_fast_bf16", lambda: has_fast)
    with fast_autocast(torch.device("cpu")):
        assert torch.nn.functional.linear(torch.ones(1, 2), torch.ones(3, 2)).dtype is expected


def test_a_device_that_is_fast_in_fp16_alone_gets_no_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """As GPUs before Ampere, which emulate it."""
    monkeypatch.setattr(precision, "choose_dtype", lambda _name, _device: torch.float16)
    with fast_autocast(torch.device("cpu")):
        assert torch.nn.functional.linear(torch.ones(1, 2), torch.ones(3, 2)).dtype is torch.float32
