"""One GGUF file, such as ComfyUI-GGUF's and llama.cpp's tools make of a Wan DiT: plain tensors, and quantised ones.

A quantised tensor stays as it is in the file where the layers of a network take it so, and is float32 elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ..quants import blocks_of_32, blocks_of_256
from ..quants.block_format import BlockFormat
from ..types import VFEError
from .gguf_header import ARCHITECTURE, MAGIC, ORIGINAL_SHAPE, Header, TensorNote, read_header
from .source import Entry, PackedRows, TensorSource, printable

LAYOUT = "GGUF"
DIT_ARCHITECTURES = ("wan", "pig", "cow")
"""What files of Wan DiTs say that they are: city96's conversions, and those of gguf-node, which tell nothing by it.
stable-diffusion.cpp writes none. What is in the file, its names say."""

_PLAIN = {0: torch.float32, 1: torch.float16, 28: torch.float64, 30: torch.bfloat16}
_PACKED: dict[int, BlockFormat] = {
    2: blocks_of_32.Q4_0,
    3: blocks_of_32.Q4_1,
    6: blocks_of_32.Q5_0,
    7: blocks_of_32.Q5_1,
    8: blocks_of_32.Q8_0,
    10: blocks_of_256.Q2_K,
    11: blocks_of_256.Q3_K,
    12: blocks_of_256.Q4_K,
    13: blocks_of_256.Q5_K,
    14: blocks_of_256.Q6_K,
}
_OTHER_TYPES = {
    16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS",
    24: "I8", 25: "I16", 26: "I32", 27: "I64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4",
}  # fmt: skip
READ_TYPES = "F32, F16, BF16, Q2_K to Q6_K, Q4_0 to Q5_1 and Q8_0"


def is_gguf(head: bytes) -> bool:
    """Whether a file that starts with `head` says that it is GGUF."""
    return head.startswith(MAGIC)


def open_gguf(path: Path) -> TensorSource:
    """Read the header of a file; a tensor is read when it is asked for.

    Raises VFEError for a truncated or damaged file, one of another architecture than Wan, and types that nothing here
    reads.
    """
    header = read_header(path)
    architecture = header.entries.get(ARCHITECTURE)
    if architecture is not None and architecture not in DIT_ARCHITECTURES:
        raise VFEError(
            f"{path}: a GGUF file of {printable(architecture)}, of which nothing here is made; needed one of a Wan DiT"
        )
    if not header.tensors:
        raise VFEError(f"{path}: a GGUF file without tensors; needed weights")
    entries: dict[str, Entry] = {}
    for note in header.tensors:
        if note.name in entries:
            raise VFEError(f"{path}: {printable(note.name)} is in it twice; the file is damaged, get it again")
        entries[note.name] = _entry(path, header, note)
    _check_places(path, header.tensors, entries)
    return TensorSource(path, entries, layout=LAYOUT)


def _entry(path: Path, header: Header, note: TensorNote) -> Entry:
    shape = _original_shape(path, header, note)
    if note.type in _PLAIN:
        dtype = _PLAIN[note.type]
        return Entry(shape, dtype, partial(_read_plain, path, note, shape, dtype))
    form = _PACKED.get(note.type)
    if form is None:
        kind = _OTHER_TYPES.get(note.type, f"type {note.type}")
        raise VFEError(f"{path}: {printable(note.name)} is {kind}, which is not supported; needed {READ_TYPES}")
    try:
        blocks = form.blocks_of(note.shape[-1]) if note.shape else form.blocks_of(1)
    except ValueError as error:
        raise VFEError(f"{path}: {printable(note.name)} has {error}; the file is damaged, get it again") from error
    read = partial(_read_bytes, path, note, (*note.shape[:-1], blocks, form.bytes))
    in_rows = len(shape) == 2 and shape == note.shape
    packed = PackedRows(form, math.prod(note.shape[:-1]) * blocks * form.bytes, read, in_rows)
    return Entry(shape, torch.float32, partial(_read_unpacked, packed, shape), packed)


def _original_shape(path: Path, header: Header, note: TensorNote) -> tuple[int, ...]:
    """Return the shape that a tensor had before it was arranged to be quantised; that of the file without a note."""
    noted = header.entries.get(f"{ORIGINAL_SHAPE}{note.name}")
    if noted is None:
        return note.shape
    sizes = noted if isinstance(noted, tuple) else ()
    shape = tuple(size for size in sizes if isinstance(size, int) and size >= 0)
    if len(shape) != len(sizes) or not shape or math.prod(shape) != math.prod(note.shape):
        raise VFEError(
            f"{path}: {printable(note.name)} is {note.shape} and was {printable(noted)} by its metadata, which does "
            "not fit; the file is damaged, get it again"
        )
    return shape


def _check_places(path: Path, notes: Iterable[TensorNote], entries: dict[str, Entry]) -> None:
    """Raise VFEError where tensors overlap or reach beyond the end of the file."""
    size, reached = path.stat().st_size, 0
    for note in sorted(notes, key=lambda note: note.start):
        if note.start < reached:
            raise VFEError(f"{path}: its tensors overlap; the file is damaged, get it again")
        reached = note.start + entries[note.name].bytes
    if reached > size:
        raise VFEError(f"{path}: truncated: {reached} bytes are needed, it has {size}; get the file again")


def _read_bytes(path: Path, note: TensorNote, shape: tuple[int, ...]) -> Tensor:
    values = torch.empty(shape, dtype=torch.uint8)
    if values.numel() == 0:
        return values
    with path.open("rb") as file:
        file.seek(note.start)
        if file.readinto(values.reshape(-1).numpy().data) != values.numel():
            raise VFEError(f"{path}: {note.name} ends early; the file was changed or truncated, get it again")
    return values


def _read_plain(path: Path, note: TensorNote, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return _read_bytes(path, note, (math.prod(shape) * dtype.itemsize,)).view(dtype).reshape(shape)


def _read_unpacked(packed: PackedRows, shape: tuple[int, ...]) -> Tensor:
    return packed.form.unpack(packed.read()).reshape(shape)
