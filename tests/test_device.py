"""Choice of device and number format."""

from __future__ import annotations

import pytest
import torch

from vfe.device import choose_device, choose_dtype, cpu_has_fast_bf16, describe_devices, dtype_name, dtypes_for
from vfe.types import VFEError


def test_auto_takes_an_accelerator_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for present in ([], ["mps"], ["mps", "cuda"]):
        monkeypatch.setattr("vfe.device._is_available", lambda kind, present=present: kind in present)
        assert choose_device("auto").type == (present[-1] if present else "cpu")


@pytest.mark.parametrize("name", ["cuda", "xpu", "mps"])
def test_absent_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vfe.device._is_available", lambda kind: kind == "cpu")
    with pytest.raises(VFEError, match=f"'{name}' was asked for"):
        choose_device(name)
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["tpu", "cuda:x", ""])
def test_unknown_device(name: str) -> None:
    with pytest.raises(VFEError, match="unknown device"):
        choose_device(name)


def test_auto_dtype_on_cpu_is_bf16_only_in_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    halves = (torch.float32, torch.bfloat16)
    for some, fast, dtypes in ((True, True, halves[1:]), (True, False, halves), (False, False, halves[:1])):
        monkeypatch.setattr("vfe.device.cpu_has_bf16", lambda some=some: some)
        monkeypatch.setattr("vfe.device.cpu_has_fast_bf16", lambda fast=fast: fast)
        assert dtypes_for(cpu) == dtypes
        assert choose_dtype("auto", cpu) == dtypes[0]
    assert choose_dtype("fp16", cpu) == torch.float16
    assert dtype_name(torch.bfloat16) == "bf16"
    with pytest.raises(VFEError, match="int8"):
        choose_dtype("int8", cpu)


def test_fast_bf16_means_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    for capabilities, fast in (({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_f": True}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=capabilities: found, raising=False)
        assert cpu_has_fast_bf16() is (fast and torch.backends.mkldnn.is_available())


def test_devices_are_described() -> None:
    lines = describe_devices()
    assert lines[-1].startswith("cpu: ")
    assert "auto dtype" in lines[-1]
    assert "thread" in lines[-1]
