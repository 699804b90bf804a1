"""Read a umT5 encoder layer by layer from Wan's own .pth, ComfyUI's safetensors, fp8 too, or a folder.

Names here are the official ones of Wan2.1's wan/modules/t5.py; ComfyUI keeps those of transformers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from ..tensor_io.load import check_fits
from ..tensor_io.open import open_tensors
from ..tensor_io.quantised import MARKER, dequantised
from ..tensor_io.source import TensorSource
from ..types import VFEError
from .umt5 import LayerWeights, UMT5Config

TOKENS, FINAL_NORM, TOKENIZER = "token_embedding.weight", "norm.weight", "spiece_model"

# What the fields of LayerWeights are called below `blocks.N.` and, in transformers, below `encoder.block.N.`.
_FIELDS = {
    "norm_attention": ("norm1", "layer.0.layer_norm"),
    "q": ("attn.q", "layer.0.SelfAttention.q"),
    "k": ("attn.k", "layer.0.SelfAttention.k"),
    "v": ("attn.v", "layer.0.SelfAttention.v"),
    "o": ("attn.o", "layer.0.SelfAttention.o"),
    "positions": ("pos_embedding.embedding", "layer.0.SelfAttention.relative_attention_bias"),
    "norm_ffn": ("norm2", "layer.1.layer_norm"),
    "gate": ("ffn.gate.0", "layer.1.DenseReluDense.wi_0"),
    "up": ("ffn.fc1", "layer.1.DenseReluDense.wi_1"),
    "down": ("ffn.fc2", "layer.1.DenseReluDense.wo"),
}
_IN_LAYER = {theirs: ours for ours, theirs in _FIELDS.values()}
_OUTSIDE = {"encoder.final_layer_norm.": "norm.", "shared.": "token_embedding.", MARKER: MARKER}


def open_umt5(path: Path) -> UMT5File:
    """Open the encoder in a file or folder; VFEError where there is none, or a tensor is missing or misshapen."""
    return UMT5File(open_tensors(path, is_umt5))


def is_umt5(source: TensorSource) -> bool:
    """Whether a file holds a T5 encoder with a table of positions in its second layer, which only umT5 has."""
    return f"blocks.1.{_FIELDS['positions'][0]}.weight" in official_names(source.names)


def official_names(names: Iterable[str]) -> dict[str, str]:
    """Return {official name: name in the file} for all of the encoder, the scales of fp8 weights included."""
    return {official: name for name in names if (official := _official(name))}


class UMT5File:
    """The weights of an encoder as `UMT5Weights`; nothing is kept between calls."""

    def __init__(self, source: TensorSource) -> None:
        self.path = source.path
        self._tokenizer = source.entry(TOKENIZER) if TOKENIZER in source else None
        if not is_umt5(source):
            raise VFEError(
                f"{source.path}: not a umT5 text encoder ({source.description}); needed umT5-XXL, such as"
                " umt5_xxl_fp8_e4m3fn_scaled.safetensors or models_t5_umt5-xxl-enc-bf16.pth"
            )
        self._source = dequantised(source.select(official_names(source.names)))
        self.config = _config(self._source)
        check_fits(source.path, _shapes(self.config), self._source)

    @property
    def tokenizer(self) -> bytes | None:
        """The content of the spiece.model that ComfyUI's files hold; None in other files."""
        return bytes(self._tokenizer.read().flatten().tolist()) if self._tokenizer else None

    def embedding(self, ids: list[int]) -> Tensor:
        """Return rows of the token table, (N, D) float32; VFEError for a token that it does not have."""
        if max(ids) >= self.config.vocabulary:
            raise VFEError(f"{self.path}: has {self.config.vocabulary} tokens, the tokenizer gave token {max(ids)}")
        return self._source.get(TOKENS)[ids].float()

    def layer(self, index: int) -> LayerWeights:
        """Return the weights of one layer in float32."""
        return LayerWeights(**{field: self._source.get(_name(index, field)).float() for field in _FIELDS})

    def final_norm(self) -> Tensor:
        """Return the weight of the last norm, (D) float32."""
        return self._source.get(FINAL_NORM).float()


def _official(name: str) -> str | None:
    if re.match(r"(blocks\.\d+|token_embedding|norm)\.", name):
        return name
    layer = re.fullmatch(r"encoder\.block\.(\d+)\.(layer\.[01](?:\.\w+)?\.\w+)\.(\w+)", name)
    if layer and layer[2] in _IN_LAYER:
        return f"blocks.{layer[1]}.{_IN_LAYER[layer[2]]}.{layer[3]}"
    return next((ours + name[len(theirs) :] for theirs, ours in _OUTSIDE.items() if name.startswith(theirs)), None)


def _name(index: int, field: str) -> str:
    return f"blocks.{index}.{_FIELDS[field][0]}.weight"


def _config(source: TensorSource) -> UMT5Config:
    """Return the sizes that the shapes give; VFEError where tensors are no matrices or the sizes impossible."""
    names = (TOKENS, *(_name(0, field) for field in ("positions", "q", "gate")))
    shapes = [source.shape(name) if name in source else () for name in names]
    if any(len(shape) != 2 for shape in shapes):
        raise VFEError(f"{source.path}: needed are matrices {', '.join(names)}; the file is damaged")
    (vocabulary, dim), (buckets, heads), (inner, _), (ffn, _) = shapes
    layers = {name.split(".")[1] for name in source.names if name.startswith("blocks.")}
    try:
        return UMT5Config(
            dim=dim, heads=heads, inner=inner, ffn=ffn, layers=len(layers), vocabulary=vocabulary, buckets=buckets
        )
    except ValueError as error:
        raise VFEError(f"{source.path}: no umT5 has such sizes: {error}") from error


def _shapes(config: UMT5Config) -> dict[str, tuple[int, ...]]:
    """Return {official name: shape} of all tensors of the encoder."""
    dim, inner, ffn = config.dim, config.inner, config.ffn
    of_layer = {
        "norm_attention": (dim,),
        **dict.fromkeys(("q", "k", "v"), (inner, dim)),
        "o": (dim, inner),
        "positions": (config.buckets, config.heads),
        "norm_ffn": (dim,),
        **dict.fromkeys(("gate", "up"), (ffn, dim)),
        "down": (dim, ffn),
    }
    shapes = {_name(index, field): shape for index in range(config.layers) for field, shape in of_layer.items()}
    return shapes | {TOKENS: (config.vocabulary, dim), FINAL_NORM: (dim,)}
