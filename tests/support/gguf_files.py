"""GGUF files of tiny random Wan DiTs, written by the gguf package as ComfyUI-GGUF's and llama.cpp's tools do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import gguf
import numpy as np
import torch
from torch import Tensor

from tests.support.k_quants import K_FORMATS
from vfe.models.dit.model import DiTConfig

WIDE_DIT = DiTConfig(dim=256, heads=2, layers=2, ffn_dim=512, freq_dim=32, text_dim=256)
"""Rows of whole blocks of 256, but for one of 32: the tools fall back to another format there."""

State = Mapping[str, Tensor]
FormOf = Callable[[str, Tensor], str]
FALLBACK = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}


def uniform(form: str) -> FormOf:
    """Matrices in one format, vectors and modulations in F32."""

    def form_of(name: str, value: Tensor) -> str:
        return form if value.ndim in (2, 5) and "modulation" not in name else "F32"

    return form_of


def q4_k_m(name: str, value: Tensor) -> str:
    """As llama.cpp mixes them: some values and second feed-forward layers in Q6_K, in block 0 here."""
    form = uniform("Q4_K")(name, value)
    better = name.startswith("blocks.0.") and name.endswith((".v.weight", "ffn.2.weight"))
    return "Q6_K" if better and form == "Q4_K" else form


MIXTURES: dict[str, FormOf] = {
    "Q4_K_M": q4_k_m,
    **{form: uniform(form) for form in ("F16", "BF16", "Q8_0", "Q6_K", "Q5_K", "Q5_0", "Q4_0")},
}


def quantised(value: Tensor, form: str) -> tuple[np.ndarray, str]:
    """The bytes of a tensor as the file has them, and the format, which odd rows or five axes may change."""
    array = value.float().numpy()
    if form not in ("F32", "F16", "BF16") and (value.ndim == 5 or array.shape[-1] % 32):
        form = "F16"
    if form in K_FORMATS and array.shape[-1] % 256:
        form = FALLBACK[form]
    if form in K_FORMATS:
        blocks = array.reshape(-1, 256)
        return K_FORMATS[form](blocks).reshape(*array.shape[:-1], -1), form
    return gguf.quants.quantize(array, gguf.GGMLQuantizationType[form]), form


def write_gguf(path: Path, state: State, form_of: FormOf, architecture: str | None = "wan", prefix: str = "") -> Path:
    writer = gguf.GGUFWriter(None, architecture or "", use_temp_file=False)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for name, value in state.items():
        data, form = quantised(value, form_of(name, value))
        writer.add_tensor(prefix + name, np.ascontiguousarray(data), raw_dtype=gguf.GGMLQuantizationType[form])
    return finish(writer, path)


def finish(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def dequantised_by_gguf(path: Path) -> dict[str, Tensor]:
    """All tensors of a file in float32, by the gguf package."""
    found = {}
    for tensor in gguf.GGUFReader(path).tensors:
        values = np.array(gguf.quants.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        found[tensor.name] = torch.from_numpy(values).reshape([int(size) for size in reversed(tensor.shape)])
    return found
