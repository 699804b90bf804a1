"""Weights into a model, strictly: every name and shape is checked before a tensor is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..types import VFEError
from .source import TensorSource, is_finite, preview_names

Model = TypeVar("Model", bound=nn.Module)

CPU = torch.device("cpu")


def build_on_meta(build: Callable[[], Model]) -> Model:
    """Return the model that `build` makes, without memory for its weights."""
    with torch.device("meta"):
        return build()


def shapes_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of each parameter and persistent buffer, by its name."""
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def check_fits(path: Path, wanted: Mapping[str, tuple[int, ...]], source: TensorSource) -> None:
    """Raise VFEError that names the tensors of `source` that are missing, too much or of another shape."""
    missing, unexpected = wanted.keys() - set(source.names), set(source.names) - wanted.keys()
    if missing or unexpected:
        counts = [f"{len(names)} tensors {what} ({preview_names(names)})"
                  for what, names in (("missing", missing), ("unexpected", unexpected)) if names]  # fmt: skip
        raise VFEError(f"{path}: {', '.join(counts)}; needed the {len(wanted)} of this network, no more, no less")
    for name, shape in wanted.items():
        if source.shape(name) != shape:
            raise VFEError(f"{path}: {name} is {source.shape(name)}, needed {shape}; the file is damaged or altered")


def cast(path: Path, name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a finite tensor in another dtype; VFEError where its values are too large for that."""
    result = tensor.to(dtype)
    if dtype == torch.float16 and tensor.dtype != dtype and not is_finite(result):
        raise VFEError(f"{path}: {name} has values too large for fp16; use bf16 or fp32")
    return result


def load_model(
    build: Callable[[], Model],
    source: TensorSource,
    *,
    device: torch.device = CPU,
    dtype: torch.dtype = torch.float32,
    exact: tuple[str, ...] = (),
) -> Model:
    """Return the model that `build` makes with the tensors of `source`, frozen and in eval mode.

    Raises VFEError where names or shapes do not fit, where a tensor holds NaN or infinity, or where its values are too
    large for `dtype`. Tensors whose names start with one of `exact` are loaded in float32.
    """
    try:
        model = build_on_meta(build)
    except (RuntimeError, OverflowError, TypeError) as error:  # what torch raises for sizes beyond 64 bits
        reason = str(error).partition("\n")[0]
        raise VFEError(f"{source.path}: its sizes fit no network ({reason}); get the file again") from error
    check_fits(source.path, shapes_of(model), source)
    return load_strictly(model, source.get, source.path, device=device, dtype=dtype, exact=exact)


def load_strictly(
    model: Model,
    read: Callable[[str], Tensor],
    path: Path,
    *,
    device: torch.device,
    dtype: torch.dtype,
    exact: tuple[str, ...] = (),
) -> Model:
    """Fill a model that was built on meta, one tensor at a time, and freeze it.

    `read` gives the finite tensor of a name on the CPU; `path` is what errors name. The other arguments and the errors
    are those of `load_model`, but that names and shapes must have been checked before. Integers stay integers.
    """
    state = {}
    for name, value in model.state_dict().items():
        wanted = torch.float32 if name.startswith(exact) else dtype
        state[name] = cast(path, name, read(name), wanted if value.is_floating_point() else value.dtype).to(device)
    model.load_state_dict(state, strict=True, assign=True)
    return model.eval().requires_grad_(False)
