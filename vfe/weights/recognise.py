"""Tell what a weight file is by the names and shapes in it, and never by its own name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from ..face.detect.weights import FACE_NET_FORMAT
from ..tensor_io.open import open_tensors
from ..tensor_io.prefix import find_marks
from ..tensor_io.source import TensorSource
from ..types import VFEError
from . import wan_dit, wan_vae
from .adapter import ADAPTER_FORMAT, adapter_config
from .experts import EXPERTS_FORMAT
from .foreign import name_foreign
from .lite import FLOW_FORMAT, LITE_FORMAT
from .lora_keys import HADAMARD, KRONECKER, is_lora, parse_key, unsupported_kind
from .lora_target import lora_target
from .prompt import PROMPT_FORMAT, prompt_embedding_names

Kind = Literal[
    "wan_dit",
    "wan_vae",
    "lora",
    "experts",
    "adapter",
    "prompt_embedding",
    "restorer",
    "flow_model",
    "text_encoder",
    "face_net",
]

LEARNED_PLACES = "dit.places.embedding"
"""Weights of restorers that know where in the picture a token is, as those of aligned faces do."""
READABLE_KINDS = (
    "needed a Wan2.1 DiT, its VAE, a LoRA, an adapter, a prompt embedding, a umT5 text encoder or a vfe restorer"
)


class _TextEncoder(NamedTuple):
    """Names by which a T5 is known: a query, the word embedding, and a bias of the second block that only umT5 has."""

    naming: str
    query: str
    words: str
    second_bias: str


_TEXT_ENCODERS = (
    _TextEncoder(
        "official names",
        "blocks.0.attn.q.weight",
        "token_embedding.weight",
        "blocks.1.pos_embedding.embedding.weight",
    ),
    _TextEncoder(
        "transformers names",
        "encoder.block.0.layer.0.SelfAttention.q.weight",
        "shared.weight",
        "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight",
    ),
)


@dataclass(frozen=True)
class Recognised:
    """The kind of a file, and a line for people that says it with sizes and layout."""

    kind: Kind
    description: str


def recognise(path: Path) -> Recognised:
    """Tell what the weights at `path`, a file, an index or a folder, are.

    Raises VFEError that names what the file is instead, for anything that nothing here reads.
    """
    return recognise_source(open_tensors(path))


def recognise_source(source: TensorSource) -> Recognised:
    """Tell what an open file is, as `recognise` does."""
    if LITE_FORMAT.names(source):
        return Recognised("restorer", _describe_restorer(source))
    if FLOW_FORMAT.names(source):
        return Recognised("flow_model", _describe_flow_model(source))
    if FACE_NET_FORMAT.names(source):
        return Recognised("face_net", f"vfe face net, {source.parameters / 1e6:.1f} M parameters; {source.description}")
    if ADAPTER_FORMAT.names(source):
        return Recognised("adapter", _describe_adapter(source))
    if EXPERTS_FORMAT.names(source):
        return Recognised("experts", _describe_experts(source))
    if wan_dit.is_dit(source):
        return Recognised("wan_dit", _describe_dit(wan_dit.to_official_names(source)))
    if wan_vae.is_vae(source):
        return Recognised("wan_vae", _describe_vae(wan_vae.to_official_names(source)))
    if is_lora(source.names):
        return Recognised("lora", _describe_lora(source))
    if any(_has(source, encoder.query) and _has(source, encoder.words) for encoder in _TEXT_ENCODERS):
        return Recognised("text_encoder", _describe_text_encoder(source))
    embeddings = prompt_embedding_names(source, None if source.metadata.get("format") == PROMPT_FORMAT else 4096)
    if len(embeddings) == 1:
        rows, width = source.shape(embeddings[0])[-2:]
        return Recognised("prompt_embedding", f"prompt embedding, {rows} rows of {width}; {source.description}")
    raise VFEError(f"{source.path}: {name_foreign(source)}; {READABLE_KINDS}")


def _describe_restorer(source: TensorSource) -> str:
    of_what = "of aligned faces" if LEARNED_PLACES in source.names else "of whole frames"
    return f"vfe restorer {of_what}, {source.parameters / 1e6:.1f} M parameters; {source.description}"


def _describe_flow_model(source: TensorSource) -> str:
    size = f"{source.parameters / 1e6:.1f} M parameters"
    return f"vfe flow model for distillation, which restores nothing, {size}; {source.description}"


def _describe_adapter(source: TensorSource) -> str:
    config = adapter_config(source)
    prior = f"codebooks of {config.prior.entries} entries of width {config.prior.dim}"
    fusion = config.fusion
    what = "prior without its fusion" if fusion is None else f"adapter for a DiT of width {fusion.dim}"
    return f"{what}, {source.parameters / 1e6:.1f} M parameters ({prior}); {source.description}"


def _describe_experts(source: TensorSource) -> str:
    said = EXPERTS_FORMAT.config_of(source)
    of_what = f"{said.sizes.count} experts of rank {said.sizes.rank} for a DiT of {said.layers} blocks"
    limits = ", ".join(f"{threshold:g}" for threshold in said.sizes.thresholds)
    return f"{of_what}, chosen at severities of {limits}; give it as a LoRA; {source.description}"


def _describe_dit(source: TensorSource) -> str:
    config = wan_dit.config_of(source)
    flow = wan_dit.read_flow(source)
    what = f"Wan text-to-video DiT, {wan_dit.size_of(config)} parameters"
    restores = f"one-step restorer ({flow.rule}, t* = {flow.timestep:g}), " if flow else ""
    size = f"width {config.dim}, {config.heads} heads, {config.layers} blocks, feed-forward {config.ffn_dim}"
    return f"{restores}{what} ({size}); {source.description}"


def _describe_vae(source: TensorSource) -> str:
    config = wan_vae.config_of(source)
    width = f"width {config.dim}" + (f" (decoder {config.decoder_dim})" if config.decoder_dim else "")
    size = f"{width}, {config.latent_channels} latent channels, {len(config.multipliers)} stages"
    return f"Wan2.1 VAE, {source.parameters / 1e6:.1f} M parameters ({size}); {source.description}"


def _describe_lora(source: TensorSource) -> str:
    kind = unsupported_kind(source.names)
    keys = {name: key for name in source.names if (key := parse_key(name))}
    layers = {key.base for key in keys.values()}
    ranks = sorted({source.shape(name)[0] for name, key in keys.items() if key.part == "down" and source.shape(name)})
    size = f"of rank {' to '.join(map(str, sorted({ranks[0], ranks[-1]})))}" if ranks else "of whole differences"
    parts = {key.part for key in keys.values()}
    name = "LoHa" if parts & HADAMARD else "LoKr" if parts & KRONECKER else f"LoRA {size}"
    target = lora_target(source)
    made_for = "" if target is None else f" for {target}"
    cannot = f" ({kind}, which cannot be merged)" if kind else ""
    return f"{name}{made_for}{cannot}, {len(layers)} layers; {source.description}"


def _describe_text_encoder(source: TensorSource) -> str:
    """Raise VFEError for a T5 that is not umT5, for Wan was trained with the rows of umT5 only."""
    encoder = next(encoder for encoder in _TEXT_ENCODERS if _has(source, encoder.query))
    if not _has(source, encoder.second_bias):
        raise VFEError(f"{source.path}: a T5 text encoder as of Flux or SD3, which is not umT5; {READABLE_KINDS}")
    (query,) = find_marks(source, [encoder.query])[:1]
    width = source.shape(query.prefix + query.mark)[-1]
    block = re.compile(r"(?:encoder\.block|blocks)\.(\d+)\.")
    layers = len({match[1] for name in source.names if (match := block.match(name[len(query.prefix) :]))})
    return f"umT5 text encoder, {layers} layers of width {width}; {encoder.naming}, {source.description}"


def _has(source: TensorSource, mark: str) -> bool:
    return bool(find_marks(source, [mark]))
