"""Weights into a network, strictly: every name and shape is checked before anything is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..types import VFEError
from .source import TensorSource, is_finite, some

Network = TypeVar("Network", bound=nn.Module)


def build_on_meta(build: Callable[[], Network]) -> Network:
    """A network without memory for its weights."""
    with torch.device("meta"):
        return build()


def shapes_of(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def check_fits(path: Path, wanted: Mapping[str, tuple[int, ...]], source: TensorSource) -> None:
    """Raise VFEError that names what is missing, too much or of another shape."""
    missing, unexpected = wanted.keys() - set(source.names), set(source.names) - wanted.keys()
    if missing or unexpected:
        counts = [f"{len(names)} tensors {what} ({some(names)})"
                  for what, names in (("missing", missing), ("unexpected", unexpected)) if names]  # fmt: skip
        raise VFEError(f"{path}: {', '.join(counts)}; needed the {len(wanted)} of this network, no more, no less")
    for name, shape in wanted.items():
        if source.shape(name) != shape:
            raise VFEError(f"{path}: {name} is {source.shape(name)}, needed {shape}; the file is damaged or altered")


def cast(path: Path, name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A finite tensor in another number format; VFEError where its values are too large for that."""
    result = tensor.to(dtype)
    if dtype == torch.float16 and tensor.dtype != dtype and not is_finite(result):
        raise VFEError(f"{path}: {name} has values too large for fp16; use bf16 or fp32")
    return result


def load_strictly(
    network: Network, read: Callable[[str], Tensor], path: Path, *, device: torch.device, dtype: torch.dtype
) -> Network:
    """Fill a network built on meta, one tensor at a time, and freeze it. `read` gives a finite tensor on the CPU."""
    state = {name: cast(path, name, read(name), dtype).to(device) for name in shapes_of(network)}
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)
