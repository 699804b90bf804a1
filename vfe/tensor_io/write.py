"""Writing a .safetensors file one tensor at a time: a 14B model is converted in the memory of its largest weight."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..files.aside import written_aside
from .safetensors_file import DTYPES, LENGTH_BYTES, METADATA_ENTRY
from .source import Entry

_NAMES = {dtype: name for name, dtype in DTYPES.items()}
VALUES_ALIGNMENT = 8  # bytes: readers map the values in place


def write_safetensors(path: Path, entries: Mapping[str, Entry], metadata: Mapping[str, str]) -> None:
    """Write the tensors of `entries`, {name: entry}, and `metadata` to a .safetensors file.

    The file is written aside and renamed, so that an interrupted run leaves at `path` what was there before. Raises
    OSError as writing does, and whatever reading a tensor raises.
    """
    names = sorted(entries, key=lambda name: (-entries[name].dtype.itemsize, name))  # so that all are aligned
    with written_aside(path) as aside, aside.open("wb") as file:
        file.write(_header({name: entries[name] for name in names}, metadata))
        for name in names:
            tensor = entries[name].read()
            assert tuple(tensor.shape) == entries[name].shape and tensor.dtype == entries[name].dtype
            file.write(_little_endian(tensor))


def _header(entries: Mapping[str, Entry], metadata: Mapping[str, str]) -> bytes:
    header: dict[str, object] = {METADATA_ENTRY: dict(metadata)}
    start = 0
    for name, entry in entries.items():
        span = [start, start + entry.bytes]
        header[name] = {"dtype": _NAMES[entry.dtype], "shape": list(entry.shape), "data_offsets": span}
        start += entry.bytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % VALUES_ALIGNMENT)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def _little_endian(tensor: Tensor) -> memoryview:
    """The bytes of the values. Every machine that torch is built for stores them little-endian, as the format needs."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def entries_of(tensors: Mapping[str, Tensor]) -> dict[str, Entry]:
    """Return tensors in memory as `write_safetensors` and `TensorSource` take them; none is copied."""

    def entry(tensor: Tensor) -> Entry:
        return Entry(tuple(tensor.shape), tensor.dtype, tensor.detach)

    return {name: entry(tensor) for name, tensor in tensors.items()}
