"""Choose an attention kernel by name: torch's own, or an installed one that is checked before it is used.

B batch, N heads, m tokens, d head width; `...` are any leading axes (batch, windows).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ...options import AttentionName
from ...types import VFEError
from .window_attention import attend

Kernel = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Softmax attention without a mask: q, k, v (B, N, m, d) -> (B, N, m, d)."""


class AttentionBackend(Protocol):
    """Softmax attention over m: q, k, v (..., N, m, d) -> (..., N, m, d); `mask` is added to the scores."""

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor: ...


@dataclass(frozen=True)
class KernelAttention:
    """An installed kernel. Attention windows that need a mask, which no such kernel takes, go to SDPA."""

    kernel: Kernel

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None:
            return attend(q, k, v, mask)
        q, k, v, leading = q.flatten(0, -4), k.flatten(0, -4), v.flatten(0, -4), q.shape[:-3]
        return self.kernel(q, k, v).unflatten(0, leading)


@dataclass(frozen=True)
class Package:
    """A kernel that can be installed: `load` imports it, `tolerance` is the relative error (L2) that is allowed."""

    module: str
    load: Callable[[], Kernel]
    tolerance: float


def _flash_3() -> Kernel:
    """Import FlashAttention 3, for Hopper only (arXiv 2407.08608). Its betas return (out, log-sum-exp)."""
    run = import_module("flash_attn_interface").flash_attn_func

    def kernel(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = run(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        out = out[0] if isinstance(out, tuple) else out
        return out.transpose(1, 2)

    return kernel


def _flash_2() -> Kernel:
    """Import FlashAttention 2 (arXiv 2307.08691)."""
    run = import_module("flash_attn").flash_attn_func

    def kernel(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return run(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2)

    return kernel


def _sage() -> Kernel:
    """Import SageAttention (arXiv 2410.02367), whose scores are of 8 bits: its results are near but not equal."""
    run = import_module("sageattention").sageattn

    def kernel(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return run(q, k, v, tensor_layout="HND")

    return kernel


FLASH_TOLERANCE = 0.02  # bf16 rounds to 0.4 %
SAGE_TOLERANCE = 0.1  # int8 scores and fp8 values lose a few percent; a wrong layout or scale is off by about 100 %

_FLASH = (Package("flash_attn_interface", _flash_3, FLASH_TOLERANCE), Package("flash_attn", _flash_2, FLASH_TOLERANCE))
_SAGE = (Package("sageattention", _sage, SAGE_TOLERANCE),)

# What kernels raise for a device, dtype or head width that they do not do, and for a package that changed or is broken.
_UNUSABLE = (ImportError, AttributeError, TypeError, ValueError, RuntimeError, AssertionError)


def choose_attention(name: str, device: torch.device, dtype: torch.dtype, head_dim: int) -> AttentionBackend:
    """Return the kernel of that name, after it has shown on a small random tensor that it works here.

    "sdpa" is torch's own; "flash" is FlashAttention 3 or else 2; "sage" is SageAttention.
    Raises VFEError where it is not installed, does not run with this device, dtype and head width, or is wrong.
    """
    if name not in get_args(AttentionName):
        raise VFEError(f"unknown attention {name!r}; have {', '.join(get_args(AttentionName))}")
    if name == "sdpa":
        return attend
    reasons = []
    for package in _FLASH if name == "flash" else _SAGE:
        try:
            backend = KernelAttention(package.load())
            error = relative_error(backend, device, dtype, head_dim)
        except ModuleNotFoundError as problem:
            reasons.append(f"{package.module} is not installed ({problem})")
            continue
        except _UNUSABLE as problem:
            reasons.append(f"{package.module} does not run here ({_first_line(problem)})")
            continue
        if error <= package.tolerance:
            return backend
        reasons.append(f"{package.module} is off by {error:.1%} from SDPA, allowed are {package.tolerance:.0%}")
    raise VFEError(
        f"attention {name!r} was asked for on {device} in {dtype} with heads of {head_dim}, but "
        f"{' and '.join(reasons)}; install a version that fits, or use attention 'sdpa'"
    )


def relative_error(backend: AttentionBackend, device: torch.device, dtype: torch.dtype, head_dim: int) -> float:
    """Return |backend - SDPA| / |SDPA| for random q, k, v in `dtype`, SDPA in float32; infinite for another shape."""
    generator = torch.Generator().manual_seed(0)
    random = torch.randn(3, 1, 2, 160, head_dim, generator=generator)  # two heads; tokens that fill no power of two
    q, k, v = random.to(device, dtype).unbind(0)
    got, expected = backend(q, k, v, None), F.scaled_dot_product_attention(q.float(), k.float(), v.float())
    if got.shape != expected.shape:
        return float("inf")
    return ((got.float() - expected).norm() / expected.norm()).item()


def _first_line(problem: BaseException) -> str:
    return (str(problem).strip() or type(problem).__name__).splitlines()[0]
