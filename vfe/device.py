"""Choose the device and the dtype to run in, and describe what this machine has."""

from __future__ import annotations

import os
import platform
from typing import Literal, get_args

import torch

from .types import VFEError

DeviceName = Literal["auto", "cpu", "cuda", "mps", "xpu"]
DtypeName = Literal["auto", "fp32", "bf16", "fp16"]

_DTYPES: dict[str, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
GIB = 1024**3
AMPERE = (8, 0)  # the first CUDA compute capability with bf16; older cards would emulate it


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name (`cuda:1` is one of several); `auto` is the first accelerator found, else the CPU.

    Raises VFEError when this machine, or this build of PyTorch, does not have it.
    """
    if name == "auto":
        return torch.device(next((kind for kind in ("cuda", "xpu", "mps") if _is_available(kind)), "cpu"))
    kind, _, index = name.partition(":")
    if kind not in get_args(DeviceName) or (index and not index.isdecimal()):
        raise VFEError(f"unknown device {name!r}; have {', '.join(get_args(DeviceName))}")
    if not _is_available(kind):
        raise VFEError(f"device {name!r} was asked for, but {_absence(kind)}; use --device cpu or auto")
    if index and int(index) >= _count(kind):
        raise VFEError(f"device {name!r} was asked for, but this machine has {_count(kind)} of them, numbered from 0")
    return torch.device(name)


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the torch dtype of a short name; `auto` is the fastest, which is the first of `dtypes_for`.

    Raises VFEError for an unknown name.
    """
    if name in _DTYPES:
        return _DTYPES[name]
    if name != "auto":
        raise VFEError(f"unknown dtype {name!r}; have {', '.join(get_args(DtypeName))}")
    return dtypes_for(device)[0]


def dtypes_for(device: torch.device) -> tuple[torch.dtype, ...]:
    """Return dtypes for a device: first the fastest that its hardware has, then one of half the size if there is one.

    CPU: bf16 with AVX512-BF16 or AMX; else fp32, then bf16 if AVX512 can stand in. CUDA: bf16, on older cards fp16.
    MPS: fp32, then fp16, which all Macs have. Others: fp32, then bf16.
    """
    if device.type == "cuda":
        fast = torch.version.hip is not None or torch.cuda.get_device_capability(device) >= AMPERE
        return (torch.bfloat16 if fast else torch.float16,)
    if device.type == "cpu" and not cpu_has_bf16():
        return (torch.float32,)
    if device.type == "cpu" and cpu_has_fast_bf16():
        return (torch.bfloat16,)
    return torch.float32, torch.float16 if device.type == "mps" else torch.bfloat16


def dtype_name(dtype: torch.dtype) -> str:
    """Return the short name of a dtype, as the command line takes it."""
    return next((name for name, known in _DTYPES.items() if known == dtype), str(dtype).removeprefix("torch."))


def cpu_has_bf16() -> bool:
    """Whether oneDNN computes bf16 on this CPU, if need be by emulation.

    Where it does not, as with AVX2 alone, PyTorch's own loops do. A product of matrices then takes 180 times as long as
    in fp32 (on two threads), and the input of a convolution is unfolded ninefold.
    """
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def cpu_has_fast_bf16() -> bool:
    """Whether the CPU multiplies bf16 in hardware: not where oneDNN emulates it with AVX512."""
    if not torch.backends.mkldnn.is_available():
        return False
    if hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(check is not None and check() for check in checks)


def free_memory(device: torch.device) -> int:
    """Return the bytes that this process may still take on a device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "xpu":
        return int(torch.xpu.mem_get_info(device)[0])
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    import psutil

    return int(psutil.virtual_memory().available)


def describe_devices() -> list[str]:
    """Return a line for each device of this machine: name, memory or threads, and the dtype that `auto` picks."""
    lines = []
    for kind in ("cuda", "xpu"):
        for index in range(_count(kind) if _is_available(kind) else 0):
            properties = getattr(torch, kind).get_device_properties(index)
            what = f"{properties.name}, {properties.total_memory / GIB:.0f} GiB"
            lines.append(_line(torch.device(kind, index), what))
    if _is_available("mps"):
        lines.append(_line(torch.device("mps"), "Apple GPU"))
    return [*lines, _line(torch.device("cpu"), _cpu_text())]


def _cpu_text() -> str:
    threads = torch.get_num_threads()
    text = f"{platform.machine() or 'CPU'} {torch.backends.cpu.get_cpu_capability()}"
    if hasattr(os, "sysconf") and {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= os.sysconf_names.keys():  # not on Windows
        text += f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / GIB:.0f} GiB"
    return f"{text}, {threads} thread{'' if threads == 1 else 's'}"


def _line(device: torch.device, what: str) -> str:
    return f"{device}: {what}, auto dtype {dtype_name(choose_dtype('auto', device))}"


def _is_available(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available()
    if kind == "xpu":
        return hasattr(torch, "xpu") and torch.xpu.is_available()
    if kind == "mps":
        return torch.backends.mps.is_available()
    return True


def _absence(kind: str) -> str:
    if kind == "cuda" and torch.version.cuda is None and torch.version.hip is None:
        return f"PyTorch {torch.__version__} was built without CUDA"
    return f"PyTorch {torch.__version__} finds no such device here"


def _count(kind: str) -> int:
    return getattr(torch, kind).device_count() if kind in ("cuda", "xpu") else 1
