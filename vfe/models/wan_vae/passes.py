"""The element-wise work between two convolutions: RMS norm, SiLU, and the transforms of F(2,3).

T frames, C channels, H W sides; frames are (T, C, H, W), channels last. Each pass over memory costs a few hundredths of
a convolution, and there are ten: `Strips` takes a few rows at a time through all of them, which stay in the processor's
cache meanwhile, and `Compiled` leaves it to a compiler to make one pass of them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from .history import PAST_FRAMES, new_frames

EPS = 1e-12  # as in torch.nn.functional.normalize
CPU_STRIP, DEVICE_STRIP = 1 << 20, 1 << 28  # bytes: of a core's cache; of an accelerator's memory

Terms = list[Tensor]
"""The four inputs or four products of F(2,3), each of half as many frames as they stand for."""


class Passes(Hashable, Protocol):
    """The passes around a causal convolution of SiLU(gamma x / |x|), |x| over channels; gamma (C, 1, 1) is float32."""

    def extended(self, past: Tensor | None, x: Tensor, gamma: Tensor) -> Tensor:
        """Return SiLU(gamma x / |x|) behind the past frames: (2 + T, C, H, W), or (T, C, H, W) without a past."""

    def terms(self, past: Tensor, x: Tensor, gamma: Tensor) -> tuple[Terms, Tensor]:
        """Return the inputs of F(2,3) for those frames, and the last two of them; T has to be even."""

    def merge(self, products: Terms, residual: Tensor | None) -> Tensor:
        """Return the frames (T, C, H, W) of F(2,3)'s products, plus the residual."""


def inverse_norm(x: Tensor) -> Tensor:
    """Return 1 / |x| over channels, (T, 1, H, W) in float32."""
    return torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float32).clamp_min_(EPS).reciprocal_()


@dataclass(frozen=True)
class Strips:
    """Takes a strip of rows through all passes before the next one."""

    def extended(self, past: Tensor | None, x: Tensor, gamma: Tensor) -> Tensor:
        before = 0 if past is None else PAST_FRAMES
        extended = new_frames(before + len(x), x.shape[1], x)
        if past is not None:
            extended[:before] = past
        for rows in _strips(x):
            _activate(x[:, :, rows], gamma, out=extended[before:, :, rows])
        return extended

    def terms(self, past: Tensor, x: Tensor, gamma: Tensor) -> tuple[Terms, Tensor]:
        terms = [new_frames(len(x) // 2, x.shape[1], x) for _ in range(4)]
        last = new_frames(PAST_FRAMES, x.shape[1], x)
        for rows in _strips(x):
            extended = self.extended(past[:, :, rows], x[:, :, rows], gamma)
            d0, d1, d2, d3 = extended[:-2:2], extended[1:-2:2], extended[2::2], extended[3::2]
            torch.sub(d0, d2, out=terms[0][:, :, rows])
            torch.add(d1, d2, out=terms[1][:, :, rows])
            torch.sub(d2, d1, out=terms[2][:, :, rows])
            torch.sub(d1, d3, out=terms[3][:, :, rows])
            last[:, :, rows] = extended[-PAST_FRAMES:]
        return terms, last

    def merge(self, products: Terms, residual: Tensor | None) -> Tensor:
        merged = new_frames(2 * len(products[0]), products[0].shape[1], products[0])
        for rows in _strips(merged):
            m0, m1, m2, m3 = (product[:, :, rows] for product in products)
            even, odd = merged[::2, :, rows], merged[1::2, :, rows]
            torch.add(m1, m2, out=even).add_(m0)
            torch.sub(m1, m2, out=odd).sub_(m3)
            if residual is not None:
                merged[:, :, rows] += residual[:, :, rows]
        return merged


@dataclass(frozen=True)
class Compiled:
    """Leaves the passes to torch.compile, which makes one kernel of each method."""

    def extended(self, past: Tensor | None, x: Tensor, gamma: Tensor) -> Tensor:
        return _compiled(_extended)(past, x, gamma)

    def terms(self, past: Tensor, x: Tensor, gamma: Tensor) -> tuple[Terms, Tensor]:
        *terms, last = _compiled(_terms)(past, x, gamma)
        return terms, last

    def merge(self, products: Terms, residual: Tensor | None) -> Tensor:
        return _compiled(_merge)(*products, residual)


def passes_for(device: torch.device, fuse: bool) -> Passes:
    """Return compiled passes where that is asked for and possible."""
    return Compiled() if fuse and has_compiler(device) else Strips()


def has_compiler(device: torch.device) -> bool:
    """Whether torch.compile finds what it needs to make kernels for that device."""
    if device.type == "cpu":
        return shutil.which(os.environ.get("CXX", "g++")) is not None
    return find_spec("triton") is not None


def _activate(x: Tensor, gamma: Tensor, out: Tensor) -> None:
    work = out if out.dtype == torch.float32 else torch.empty_like(out, dtype=torch.float32)
    torch.mul(x, inverse_norm(x), out=work).mul_(gamma)
    if work is out and x.device.type == "cpu":
        # torch's SiLU rounds the last elements of each thread's share otherwise than those before them, so that results
        # would depend on where an element is, and those of a tile on its size. Its exponential function does not.
        work.div_(torch.neg(work).exp_().add_(1))
    else:
        F.silu(work, inplace=True)
    if work is not out:
        out.copy_(work)


def _strips(x: Tensor) -> Iterator[slice]:
    """Return slices of the rows of x, each of as many as fit into a cache."""
    frames, channels, height, width = x.shape
    room = CPU_STRIP * torch.get_num_threads() if x.device.type == "cpu" else DEVICE_STRIP
    rows = max(1, room // (frames * channels * width * 4))
    return (slice(start, start + rows) for start in range(0, height, rows))


def _extended(past: Tensor | None, x: Tensor, gamma: Tensor) -> Tensor:
    work = x.float()
    work = F.silu(work * work.square().sum(1, keepdim=True).sqrt().clamp_min(EPS).reciprocal() * gamma).to(x.dtype)
    return _channels_last(work if past is None else torch.cat([past, work]))


def _terms(past: Tensor, x: Tensor, gamma: Tensor) -> tuple[Tensor, ...]:
    extended = _extended(past, x, gamma)
    d0, d1, d2, d3 = extended[:-2:2], extended[1:-2:2], extended[2::2], extended[3::2]
    parts = (d0 - d2, d1 + d2, d2 - d1, d1 - d3, extended[-PAST_FRAMES:].clone())
    return tuple(_channels_last(part) for part in parts)


def _merge(m0: Tensor, m1: Tensor, m2: Tensor, m3: Tensor, residual: Tensor | None) -> Tensor:
    merged = torch.stack([m1 + m2 + m0, m1 - m2 - m3], dim=1).flatten(0, 1)
    return _channels_last(merged if residual is None else merged + residual)


def _channels_last(x: Tensor) -> Tensor:
    """Return x with its channels last in memory: the compiler would choose another layout."""
    return x.contiguous(memory_format=torch.channels_last)


@cache
def _compiled(passes: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(passes)
