"""Files that store weights in fp8, with and without scales, as the float32 weights that they stand for.

ComfyUI wrote scales as `<layer>.scale_weight` beside a marker tensor `scaled_fp8`, and writes them now as
`<layer>.weight_scale`, with the format in `<layer>.comfy_quant` (JSON as bytes) or in the file's metadata. Scales of
activations are for multiplying in fp8, and are dropped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from ..types import VFEError
from .source import FP8, Entry, TensorSource, printable

MARKER = "scaled_fp8"
QUANTISATION_ENTRY = "_quantization_metadata"
WEIGHT_SCALES = (".scale_weight", ".weight_scale")
NOTE_ENDINGS = (*WEIGHT_SCALES, ".scale_input", ".input_scale", ".comfy_quant")
FP8_FORMATS = ("float8_e4m3fn", "float8_e5m2")
MAX_NOTE = 1 << 16  # bytes of a layer's JSON: it has about 30


def dequantised(source: TensorSource) -> TensorSource:
    """Return the tensors of a file, those stored in fp8 as float32 times their scale, without what describes them only.

    A file that is not quantised comes back as it is. Raises VFEError for every other quantisation.
    """
    _check_formats(source)
    entries = {}
    scaled = False
    for name in source.names:
        if _is_note(source, name):
            scaled = True
            continue
        entries[name] = _plain(source, name)
    if not scaled and not any(source.dtype(name) in FP8 for name in source.names):
        return source
    return source.replace(entries, f"{source.layout} in fp8{' with scales' if scaled else ''}")


def _is_note(source: TensorSource, name: str) -> bool:
    """Whether a tensor only describes a weight that is there."""
    if name == MARKER:
        return True
    return any(name.endswith(note) and f"{name[: -len(note)]}.weight" in source for note in NOTE_ENDINGS)


def _plain(source: TensorSource, name: str) -> Entry:
    shape, dtype = source.shape(name), source.dtype(name)
    layer = name.removesuffix(".weight")
    scales = [f"{layer}{note}" for note in WEIGHT_SCALES if name.endswith(".weight") and f"{layer}{note}" in source]
    if not dtype.is_floating_point or (scales and dtype not in FP8) or len(scales) > 1:
        raise VFEError(
            f"{source.path}: {name} is {str(dtype).removeprefix('torch.')}{' with a scale' if scales else ''}, "
            "a quantisation that is not supported; needed bf16, fp16, fp32 or fp8"
        )
    if dtype not in FP8:
        return source.entry(name)
    if scales and source.shape(scales[0]) not in ((), (1,), (1, 1), (shape[0], 1)):
        raise VFEError(
            f"{source.path}: {scales[0]} is {source.shape(scales[0])}; needed one scale, or one for each of the "
            f"{shape[0]} rows of {name}"
        )
    return Entry(shape, torch.float32, partial(_scaled, source, name, scales[0] if scales else None))


def _scaled(source: TensorSource, name: str, scale: str | None) -> Tensor:
    weight = source.get(name).float()
    return weight if scale is None else weight * source.get(scale).float()


def _check_formats(source: TensorSource) -> None:
    for layer, form in _formats(source):
        if form not in FP8_FORMATS:
            raise VFEError(
                f"{source.path}: {printable(layer)} is quantised as {printable(form)}, which is not supported; needed "
                f"{' or '.join(FP8_FORMATS)}, or a bf16 or fp16 file"
            )


def _formats(source: TensorSource) -> Iterator[tuple[str, object]]:
    """Yield (layer, the name of the format that the file says it is stored in)."""
    try:
        for name in source.names:
            if name.endswith(".comfy_quant"):
                yield name.removesuffix(".comfy_quant"), json.loads(_note(source, name))["format"]
        layers = json.loads(source.metadata.get(QUANTISATION_ENTRY, '{"layers": {}}'))["layers"]
        yield from ((layer, note["format"]) for layer, note in layers.items())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise VFEError(f"{source.path}: its notes on quantisation are damaged ({error}); get it again") from error


def _note(source: TensorSource, name: str) -> bytes:
    if source.dtype(name) != torch.uint8 or source.entry(name).bytes > MAX_NOTE:
        raise ValueError(f"{name} is no JSON")
    return bytes(source.get(name).flatten().tolist())
