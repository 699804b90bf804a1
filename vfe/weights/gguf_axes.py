"""The axes that GGUF files of Wan DiTs lose: ggml has 4 at most, and its tools drop outer ones of length 1."""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor

from ..tensor_io.source import Entry, TensorSource
from .dit_names import DIT_MARK

PATCHES = "patch_embedding.weight"
PATCH = (1, 2, 2)
"""The patch of every Wan DiT, which a flattened embedding does not tell."""
MODULATION = "modulation"


def with_axes(source: TensorSource) -> TensorSource:
    """Return the tensors of a GGUF file, under official names, with all their axes; their values stay in order."""
    entries = {name: source.entry(name) for name in source.names}
    for name, entry in entries.items():
        if name.endswith(MODULATION) and len(entry.shape) == 2:
            entries[name] = _reshaped(entry, (1, *entry.shape))
    if PATCHES in entries and DIT_MARK in entries:
        width, patches = entries[DIT_MARK].shape[-1], entries[PATCHES]
        numbers, others = math.prod(patches.shape), width * math.prod(PATCH)
        if len(patches.shape) < 5 and others and numbers and numbers % others == 0:
            entries[PATCHES] = _reshaped(patches, (width, numbers // others, *PATCH))
    return source.replace(entries)


def _reshaped(entry: Entry, shape: tuple[int, ...]) -> Entry:
    def read() -> Tensor:
        return entry.read().reshape(shape)

    packed = None if entry.packed is None else replace(entry.packed, in_rows=False)
    return replace(entry, shape=shape, read=read, packed=packed)
