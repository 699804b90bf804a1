"""Convert any Wan DiT or VAE to one safetensors file: official names, LoRAs merged, its origin in the metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ..models.flow import OneStepFlow
from ..options import LoraFile
from ..tensor_io.load import cast
from ..tensor_io.open import open_tensors
from ..tensor_io.source import FP8, Entry, TensorSource
from ..tensor_io.write import write_safetensors
from ..types import VFEError
from . import wan_dit, wan_vae
from .lora import LoraPlan
from .recognise import Kind, recognise_source

WEIGHTS_FORMAT = "vfe-weights-1"
OUTPUT_SUFFIX = ".safetensors"
HASH_BLOCK = 1 << 22

_PEOPLE: dict[Kind, str] = {
    "wan_dit": "a Wan DiT",
    "wan_vae": "a Wan VAE",
    "lora": "a LoRA",
    "experts": "the experts of a Wan DiT",
    "adapter": "an adapter",
    "face_net": "a face net",
    "prompt_embedding": "a prompt embedding",
    "restorer": "a vfe restorer",
    "flow_model": "a vfe flow model",
    "text_encoder": "a text encoder",
}


@dataclass(frozen=True, kw_only=True)
class ConvertOptions:
    """How `convert_file` writes a file."""

    dtype: torch.dtype | None = None
    """The dtype of the output; None keeps that of the input, but fp8 and quantised tensors become bf16."""
    loras: tuple[LoraFile, ...] = ()
    """What is merged into a DiT, in this order."""
    flow: OneStepFlow | None = None
    """The step by which a DiT restores, which is noted in the metadata; None keeps what the input notes."""
    overwrite: bool = False
    """Whether an output that exists is replaced."""


def convert_file(path: Path, output: Path, options: ConvertOptions) -> str:
    """Write the DiT or VAE at `path` as `output`, and return a sentence that says what was written.

    It is written aside and renamed; the input is only read. Raises VFEError for what cannot be converted, for an
    output that exists, and where a value is too large for fp16.
    """
    opened = open_tensors(path, _is_wan)
    kind: Kind = "wan_dit" if wan_dit.is_dit(opened) else recognise_source(opened).kind
    if kind == "wan_dit":
        config, source = wan_dit.open_dit(path)
        note = {"heads": str(config.heads), **flow_note(options.flow or wan_dit.read_flow(source))}
    elif kind == "wan_vae" and not (options.loras or options.flow):
        _, source = wan_vae.open_vae(path)
        note = {}
    else:
        needed = "only a Wan DiT takes LoRAs and a rule" if kind == "wan_vae" else "needed a Wan DiT or its VAE"
        raise VFEError(f"{path}: {_PEOPLE[kind]}; {needed}")
    loras = [open_tensors(lora.path).files for lora in options.loras]
    check_output(output, {file.resolve() for files in (source.files, *loras) for file in files}, options.overwrite)
    metadata = {"format": WEIGHTS_FORMAT, "kind": kind, **note, "source": json.dumps(_origins(source.files))}
    if loras:
        merged = zip(options.loras, loras, strict=True)
        metadata["loras"] = json.dumps([{"strength": s.strength, "files": _origins(files)} for s, files in merged])
    stored_small = any(opened.dtype(name) in FP8 or opened.entry(name).packed for name in opened)
    dtype = options.dtype or (torch.bfloat16 if stored_small else None)
    write_safetensors(output, _entries(source, options.loras, dtype), metadata)
    return recognise_source(open_tensors(output)).description


def _is_wan(source: TensorSource) -> bool:
    return wan_dit.is_dit(source) or wan_vae.is_vae(source)


def flow_note(flow: OneStepFlow | None) -> dict[str, str]:
    """Return the entries of the metadata that `wan_dit.read_flow` reads."""
    return {} if flow is None else {"rule": flow.rule, "timestep": f"{flow.timestep:g}"}


def check_output(output: Path, inputs: set[Path], overwrite: bool) -> None:
    """Raise VFEError where the output is one of the inputs, no .safetensors, or there and not to be replaced."""
    if output.suffix != OUTPUT_SUFFIX:
        raise VFEError(f"{output}: a {OUTPUT_SUFFIX} file is written; give the output a name that ends so")
    if output.resolve() in inputs:
        raise VFEError(f"{output}: the output is also an input; give it another name")
    if output.is_dir():
        raise VFEError(f"{output}: a folder; needed the name of a file")
    if output.exists() and not overwrite:
        raise VFEError(f"{output} exists; add --overwrite to replace it")


def _entries(source: TensorSource, loras: tuple[LoraFile, ...], dtype: torch.dtype | None) -> dict[str, Entry]:
    """Return the tensors to write. LoRAs are merged in float32, and each result is cast once."""
    plan = LoraPlan(loras, {name: source.shape(name) for name in source})

    def read(name: str, dtype: torch.dtype) -> Tensor:
        return cast(source.path, name, plan.merge(name, source.get(name)), dtype)

    targets = {name: dtype or source.dtype(name) for name in source}
    return {name: Entry(source.shape(name), target, partial(read, name, target)) for name, target in targets.items()}


def _origins(files: Iterable[Path]) -> list[dict[str, str]]:
    """Return name and SHA-256 of each file. Folders are left out: they may name people."""
    return [{"file": path.name, "sha256": _sha256(path)} for path in files]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()
