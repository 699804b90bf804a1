"""One .safetensors file: its header is checked here, and each tensor is read into memory of its own.

The library maps the whole file as soon as it is opened, which fails for one larger than the machine's memory. The
format: the header's length in 8 bytes, a JSON object of types, shapes and ranges, the values without gaps.
"""

from __future__ import annotations

import json
import math
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeGuard

import torch
from torch import Tensor

from ..types import VFEError
from .source import Entry, TensorSource, printable

MAX_HEADER = 16 << 20  # bytes: the header of a 14B DiT takes 0.2 MB, a hostile one could fill the memory
LENGTH_BYTES = 8  # bytes of the header's length, little-endian
METADATA_ENTRY = "__metadata__"

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class ByteRange(NamedTuple):
    """A part of a file: from byte `start` to before byte `stop`."""

    start: int
    stop: int


def is_safetensors(head: bytes) -> bool:
    """Whether a file that starts with `head` may be one: the length of a JSON object in 8 bytes, then the object."""
    return head[LENGTH_BYTES : LENGTH_BYTES + 1] == b"{"


def open_safetensors(path: Path) -> TensorSource:
    """Read the header of a file; a tensor is read when it is asked for.

    Raises VFEError for a truncated or damaged file and for number formats that nothing here reads.
    """
    header, values = _read_header(path)
    metadata = header.pop(METADATA_ENTRY, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise VFEError(f"{path}: its safetensors metadata is no mapping to text; the file is damaged, get it again")
    entries: dict[str, Entry] = {}
    ranges: list[ByteRange] = []
    for name, note in header.items():
        dtype, shape, extent = _read_note(path, printable(name), note, values.start)
        entries[name] = Entry(shape, dtype, partial(_read_values, path, name, shape, dtype, extent))
        ranges.append(extent)
    if not entries:
        raise VFEError(f"{path}: a safetensors file without tensors; needed weights")
    _check_ranges(path, sorted(ranges), values)
    return TensorSource(path, entries, layout="safetensors", metadata=metadata)


def _read_header(path: Path) -> tuple[dict[str, object], ByteRange]:
    """The JSON object at the start of the file, and the bytes behind it, in which the values are."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if LENGTH_BYTES + length > size:
            raise VFEError(
                f"{path}: its safetensors header says {length} bytes and the file has {size}: "
                "truncated or damaged; get it again"
            )
        if length > MAX_HEADER:
            raise VFEError(f"{path}: a safetensors header of {length} bytes, at most {MAX_HEADER} are read")
        text = file.read(length)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise VFEError(f"{path}: its safetensors header is damaged ({error}); get the file again") from error
    if not isinstance(header, dict):
        raise VFEError(f"{path}: its safetensors header is no mapping; the file is damaged, get it again")
    return header, ByteRange(LENGTH_BYTES + length, size)


def _read_note(path: Path, name: str, note: object, start: int) -> tuple[torch.dtype, tuple[int, ...], ByteRange]:
    """Number format, shape and byte range of one tensor, checked against each other."""
    note = note if isinstance(note, dict) else {}
    form, shape, offsets = note.get("dtype"), note.get("shape"), note.get("data_offsets")
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2 or not isinstance(form, str):
        raise VFEError(f"{path}: {name} has a damaged entry in the safetensors header; get the file again")
    dtype = DTYPES.get(form)
    if dtype is None:
        raise VFEError(
            f"{path}: {name} is {printable(form)}, a quantisation that is not supported; needed bf16, fp16, fp32 or fp8"
        )
    if math.prod(shape) * dtype.itemsize != offsets[1] - offsets[0]:
        raise VFEError(
            f"{path}: {name} is {printable(tuple(shape))} in {offsets[1] - offsets[0]} bytes; the file is damaged"
        )
    return dtype, tuple(shape), ByteRange(start + offsets[0], start + offsets[1])


def _are_sizes(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(size) is int and 0 <= size < sys.maxsize for size in value)


def _check_ranges(path: Path, ranges: list[ByteRange], values: ByteRange) -> None:
    """Raise VFEError unless every byte behind the header belongs to exactly one tensor."""
    reached = values.start
    for extent in ranges:
        if extent.start != reached:
            raise VFEError(f"{path}: its tensors overlap or leave gaps; the file is damaged, get it again")
        reached = extent.stop
    if reached != values.stop:
        what = "truncated" if reached > values.stop else "longer than its header says"
        raise VFEError(f"{path}: {what}: {reached} bytes are needed, it has {values.stop}; get the file again")


def _read_values(path: Path, name: str, shape: tuple[int, ...], dtype: torch.dtype, extent: ByteRange) -> Tensor:
    values = torch.empty(shape, dtype=dtype)
    flat = values.reshape(-1).view(torch.uint8) if values.numel() else torch.empty(0, dtype=torch.uint8)
    with path.open("rb") as file:
        file.seek(extent.start)
        if file.readinto(flat.numpy().data) != len(flat):
            raise VFEError(f"{path}: {name} ends early; the file was changed or truncated, get it again")
    return values
