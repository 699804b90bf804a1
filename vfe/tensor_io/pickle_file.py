"""One file of torch.save (.pth, .pt, .ckpt, .bin), read as data: no code in it ever runs.

`weights_only` lets a pickle build tensors and containers only, after pickle_scan.py has seen that it asks for no more.
What else a hostile file could do is take memory: a tensor that claims more values than are stored, or a dict that
refers to itself.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from ..types import VFEError
from .pickle_scan import check_archive, check_old_file
from .source import Entry, TensorSource, preview_names, printable

ZIP_MAGIC = b"PK\x03\x04"
MAX_DEPTH = 4  # nested dicts that may lie around a state dict
MAX_SHARING = 4  # how often, on average, a stored value may be used: tied embeddings are used twice

# What torch.load raises for damaged files. Found by flipping bytes of a file: the documentation does not list them.
TORCH_LOAD_ERRORS = (
    UnpicklingError,
    RuntimeError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    ImportError,
    MemoryError,
    struct.error,
)


def is_pickle(head: bytes) -> bool:
    """Whether a file that starts with `head` may be of torch.save: a zip archive, or before torch 1.6 a bare pickle."""
    return head.startswith(ZIP_MAGIC) or (head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"))


def open_pickle(path: Path) -> TensorSource:
    """The state dict of a torch pickle, also of one nested in other dicts ("state_dict", "module", "generator", ...).

    Raises VFEError where the file is damaged, asks for code, or holds no or several state dicts.
    """
    key, state = find_state_dict(path, _load(path))
    entries = {name: _entry(path, name, tensor) for name, tensor in state.items()}
    size, claimed = path.stat().st_size, sum(entry.bytes for entry in entries.values())
    if claimed > MAX_SHARING * size:
        raise VFEError(f"{path}: tensors of {claimed} bytes in a file of {size}: it is damaged or hostile, not read")
    return TensorSource(path, entries, layout=f"torch pickle ({printable(key)})" if key else "torch pickle")


def _load(path: Path) -> object:
    with path.open("rb") as file:
        zipped = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
    (check_archive if zipped else check_old_file)(path)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # it loads, or one line says that it does not
            if path.suffix == ".safetensors":  # torch goes by the name, and would not take it for its own
                with path.open("rb") as file:
                    return torch.load(file, map_location="cpu", weights_only=True)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except TORCH_LOAD_ERRORS as error:
        raise VFEError(f"{path}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """One line for what `torch.load` could not read."""
    text = printable(" ".join(str(error).split()), 160)
    if isinstance(error, MemoryError) or "memory" in text:
        return f"a torch file that does not fit into memory ({text})"
    return f"a damaged or unsupported torch file ({text or type(error).__name__}); get it again"


def find_state_dict(path: Path, loaded: object) -> tuple[str, Mapping[str, Tensor]]:
    """The key under which a loaded pickle holds the model's state dict ("" at the top), and the state dict.

    A pickle of a single tensor counts as a state dict of one tensor that is named "tensor".

    A dict is a model's where a name in it has a dot: others hold counters or an optimizer's moments. Raises VFEError
    where there is none, or more than one.
    """
    if isinstance(loaded, (list, tuple)) and len(loaded) == 1:
        loaded = loaded[0]
    if isinstance(loaded, Tensor):
        return "", {"tensor": loaded}
    found = dict(_state_dicts(loaded, "", MAX_DEPTH, set()))
    models = {key: state for key, state in found.items() if any("." in name for name in state)}
    chosen = models or found
    if not models and _is_optimizer(loaded):
        raise VFEError(f"{path}: an optimizer state; needed the model's weights, which lie in another file")
    if not chosen:
        keys = preview_names(map(str, loaded)) if isinstance(loaded, Mapping) else type(loaded).__name__
        raise VFEError(f"{path}: a torch file without named tensors (it holds {keys or 'nothing'}); needed weights")
    if len(chosen) > 1:
        raise VFEError(
            f"{path}: several state dicts ({preview_names(key or 'top level' for key in chosen)}); "
            "save the one to use in a file of its own"
        )
    return next(iter(chosen.items()))


def _state_dicts(value: object, key: str, depth: int, seen: set[int]) -> Iterator[tuple[str, dict[str, Tensor]]]:
    if not isinstance(value, Mapping) or id(value) in seen:
        return
    seen.add(id(value))
    tensors = {name: tensor for name, tensor in value.items() if isinstance(name, str) and isinstance(tensor, Tensor)}
    if tensors:
        yield key, tensors
    if depth:
        for name, inner in value.items():
            yield from _state_dicts(inner, f"{key}.{name}" if key else str(name), depth - 1, seen)


def _is_optimizer(loaded: object) -> bool:
    if not isinstance(loaded, Mapping):
        return False
    return "param_groups" in loaded or any(
        isinstance(inner, Mapping) and "param_groups" in inner for inner in loaded.values()
    )


def _entry(path: Path, name: str, tensor: Tensor) -> Entry:
    name = printable(name)
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise VFEError(f"{path}: {name} is a sparse, quantised or empty (meta) tensor; needed plain values")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise VFEError(f"{path}: {name} claims {tuple(tensor.shape)} values, more than are stored; not read")
    return Entry(tuple(tensor.shape), tensor.dtype, tensor.detach)
