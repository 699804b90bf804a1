"""Write what training exported in the form that another program reads: as a LoRA for ComfyUI or peft, or merged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from ..files.aside import written_aside
from ..options import LoraFile
from ..tensor_io.load import cast
from ..tensor_io.open import open_tensors
from ..tensor_io.source import TensorSource
from ..tensor_io.write import entries_of, write_safetensors
from ..types import VFEError
from .adapter import ADAPTER_FORMAT
from .convert import WEIGHTS_FORMAT, ConvertOptions, check_output, convert_file
from .lora_keys import is_lora
from .lora_scale import CONFIG_FILE, WEIGHTS_STEM
from .recognise import recognise, recognise_source
from .save import COMFYUI_PREFIX, LORA_FORMAT, ORIGIN_ENTRIES, LowRank, read_lora, save_lora
from .wan_dit import read_flow

Form = Literal["comfyui", "peft", "merged", "adapter", "vae"]

PEFT_PREFIX = "base_model.model."
EXPORTED_STEMS = ("best", "last")
"""The names of the files that a run exports into its folder, the better one first."""
PART_SUFFIXES = {"adapter": ".adapter", "vae": ".vae"}  # that the stage dvface exports beside it


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """How `export_file` writes a file."""

    form: Form = "comfyui"
    base: Path | None = None
    """The DiT that a LoRA was trained on, which merging needs."""
    dtype: torch.dtype | None = None
    """The dtype of the output; None keeps what the files have."""
    overwrite: bool = False
    """Whether an output that exists is replaced."""


def export_file(trained: Path, output: Path, options: ExportOptions) -> str:
    """Write what a run trained in another form, and return a sentence that says what was written.

    `trained` is a file that training exported, or the folder of a run, whose best file is taken, or else its last. All
    is written aside and renamed. Raises VFEError for what training did not export or cannot be had in that form, for an
    output that exists, and where a value is too large for fp16.
    """
    names = (f"{name}{PART_SUFFIXES.get(options.form, '')}.safetensors" for name in EXPORTED_STEMS)
    path = next((trained / name for name in names if (trained / name).is_file()), trained)
    if options.base is not None and options.form != "merged":
        raise VFEError("--base is the DiT that a LoRA is merged into; add --as merged")
    source = open_tensors(path)
    if options.form == "adapter":
        return _copy_adapter(source, output, options)
    if source.metadata.get("format") not in (LORA_FORMAT, WEIGHTS_FORMAT):
        raise VFEError(f"{path}: nothing that training exported; needed best.safetensors of a run, or the run's folder")
    if options.form in ("merged", "vae"):
        return _merge(source, output, options)
    if not is_lora(source.names):
        raise VFEError(f"{path}: whole weights, of which there is no LoRA; use --as merged")
    return _export_lora(source, output, options)


def _export_lora(source: TensorSource, output: Path, options: ExportOptions) -> str:
    names = {
        name.removeprefix(COMFYUI_PREFIX).rpartition(".lora_")[0] + ".weight" for name in source if ".lora_" in name
    }
    layers = _in_dtype(read_lora(source.path, names), options.dtype, source.path)
    note = {key: source.metadata[key] for key in ORIGIN_ENTRIES if key in source.metadata}
    if options.form == "peft":
        _save_peft(output, layers, note, options.overwrite)
    else:
        check_output(output, {source.path.resolve()}, options.overwrite)
        save_lora(output, layers, note)
    return recognise(output).description


def _copy_adapter(source: TensorSource, output: Path, options: ExportOptions) -> str:
    """Copy an adapter in another dtype; its metadata, which says what it is and how it was made, stays."""
    if not ADAPTER_FORMAT.names(source):
        raise VFEError(f"{source.path}: {recognise_source(source).description}; needed what the stage dvface exported")
    check_output(output, {source.path.resolve()}, options.overwrite)
    entries = {name: source.entry(name) for name in source}
    if options.dtype is not None:
        dtype = options.dtype
        entries = entries_of({name: cast(source.path, name, source.get(name), dtype) for name in source})
    write_safetensors(output, entries, source.metadata)
    return recognise(output).description


def _merge(source: TensorSource, output: Path, options: ExportOptions) -> str:
    """Merge a LoRA into its base. Whole weights need no merging; they are written in another dtype."""
    whole = ConvertOptions(dtype=options.dtype, overwrite=options.overwrite)
    if not is_lora(source.names):
        if options.base is not None:
            raise VFEError(f"{source.path}: whole weights, which need no base; leave out --base")
        return convert_file(source.path, output, whole)
    if options.base is None:
        raise VFEError(
            f"{source.path}: a LoRA trained on {source.metadata.get('base', 'a DiT')}; give that file with --base"
        )
    return convert_file(options.base, output, replace(whole, loras=(LoraFile(source.path),), flow=read_flow(source)))


def _in_dtype(layers: Mapping[str, LowRank], dtype: torch.dtype | None, path: Path) -> dict[str, LowRank]:
    if dtype is None:
        return dict(layers)
    return {
        layer: LowRank(cast(path, layer, change.down, dtype), cast(path, layer, change.up, dtype), change.scale)
        for layer, change in layers.items()
    }


def _save_peft(folder: Path, layers: Mapping[str, LowRank], note: Mapping[str, str], overwrite: bool) -> None:
    """Write what `save_pretrained` of peft does: the factors, and rank and alpha in a JSON file beside them."""
    weights, config = folder / f"{WEIGHTS_STEM}.safetensors", folder / CONFIG_FILE
    if folder.exists() and not folder.is_dir():
        raise VFEError(f"{folder}: a file; peft's form is a folder of two files, give it another name")
    for path in (weights, config):
        if path.exists() and not overwrite:
            raise VFEError(f"{path} exists; add --overwrite to replace it")
    scales = {(change.rank, change.scale) for change in layers.values()}
    if len(scales) != 1:
        raise VFEError("the layers have several ranks or scales, which peft's form does not hold; use --as comfyui")
    ((rank, scale),) = scales
    facts = {"peft_type": "LORA", "r": rank, "lora_alpha": scale * rank, "target_modules": sorted(layers)}
    factors = {f"{PEFT_PREFIX}{layer}.lora_A.weight": change.down for layer, change in layers.items()}
    factors |= {f"{PEFT_PREFIX}{layer}.lora_B.weight": change.up for layer, change in layers.items()}
    folder.mkdir(parents=True, exist_ok=True)
    with written_aside(config) as aside:
        aside.write_text(json.dumps(facts, indent=1), encoding="utf-8")
        write_safetensors(weights, entries_of(factors), {"format": LORA_FORMAT, "kind": "lora", **note})
