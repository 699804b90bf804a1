"""Writing what training exports and users load: a LoRA, a whole DiT or a VAE, with how it was made in its metadata.

r rank; A (r, in) is the down, B (out, r) the up projection of a LoRA: W + scale B A.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..models.flow import OneStepFlow
from ..models.wan_vae import WanVAE
from ..tensor_io.load import build_on_meta, shapes_of
from ..tensor_io.open import open_tensors
from ..tensor_io.source import TensorSource, preview_names
from ..tensor_io.write import entries_of, write_safetensors
from ..types import VFEError
from .convert import WEIGHTS_FORMAT, flow_note
from .lora_keys import LayerNames, is_lora, lycoris_kind, parse_key, unsupported_kind
from .lora_scale import LoraScale
from .wan_vae import config_of, open_vae

LORA_FORMAT = "vfe-lora-1"
COMFYUI_PREFIX = "diffusion_model."
"""What ComfyUI, and all that load LoRAs of Wan, put in front of the official name of a layer."""
ORIGIN_ENTRIES = ("rule", "timestep", "base", "training")
"""The entries of the metadata that say how a file was made."""


@dataclass(frozen=True)
class LowRank:
    """The change of one layer: `scale` times `up` (out, r) by `down` (r, in)."""

    down: Tensor
    up: Tensor
    scale: float

    @property
    def rank(self) -> int:
        """The r of both factors."""
        return self.down.shape[0]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """How a file was made, as its metadata says it."""

    base: str
    """The name of the file from which training started."""
    flow: OneStepFlow | None = None
    """The step that was trained."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Facts of the run, of types that JSON has."""

    def note(self) -> dict[str, str]:
        """Return the entries of the metadata."""
        return {**flow_note(self.flow), "base": self.base, "training": json.dumps(self.training)}


def save_lora(path: Path, layers: Mapping[str, LowRank], note: Mapping[str, str]) -> None:
    """Write {official layer: change} as ComfyUI's LoRA loader and ours read it, in the factors' dtype.

    The file is written aside and renamed, like all that are written here. Raises OSError as writing does.
    """
    tensors: dict[str, Tensor] = {}
    for layer, change in layers.items():
        tensors[f"{COMFYUI_PREFIX}{layer}.lora_A.weight"] = change.down
        tensors[f"{COMFYUI_PREFIX}{layer}.lora_B.weight"] = change.up
        tensors[f"{COMFYUI_PREFIX}{layer}.alpha"] = torch.tensor(change.scale * change.rank)
    write_safetensors(path, entries_of(tensors), {"format": LORA_FORMAT, "kind": "lora", **note})


def save_dit(path: Path, state: Mapping[str, Tensor], heads: int, origin: Origin) -> None:
    """Write a whole DiT, {official name: tensor}, as `vfe convert` does."""
    metadata = {"format": WEIGHTS_FORMAT, "kind": "wan_dit", "heads": str(heads), **origin.note()}
    write_safetensors(path, entries_of(state), metadata)


def save_vae(path: Path, base: Path, trained: Mapping[str, Tensor], origin: Origin) -> None:
    """Write the VAE of `base` with its trained weights, {official name: tensor}, in place of its own.

    A whole decoder may be of another width. Raises VFEError as `open_vae` does, ValueError for a name or shape that the
    VAE has not.
    """
    _, source = open_vae(base)
    entries = {name: source.entry(name) for name in source} | entries_of(trained)
    size = config_of(source.replace(entries))
    wanted = shapes_of(build_on_meta(lambda: WanVAE(size)))
    wrong = sorted(name for name, entry in entries.items() if entry.shape != wanted.get(name))
    if wrong:
        raise ValueError(
            f"{preview_names(wrong)}: not of the VAE in {base}; needed the weights of a decoder trained on it"
        )
    write_safetensors(path, entries, {"format": WEIGHTS_FORMAT, "kind": "wan_vae", **origin.note()})


def read_lora(path: Path, parameters: Iterable[str]) -> dict[str, LowRank]:
    """Return {official layer: its change} of a LoRA in any form; `parameters` are the model's official names.

    Raises VFEError for a file that is no plain LoRA of this model's layers.
    """
    source = open_tensors(path)
    kind = unsupported_kind(source.names) or lycoris_kind(source.names)
    if kind is not None or not is_lora(source.names):
        raise VFEError(f"{path}: {kind or f'no LoRA (it holds {preview_names(source.names)})'}; needed a plain LoRA")
    names, scale_of = LayerNames(parameters), LoraScale(source)
    parts: dict[str, dict[str, str]] = {}
    for name in source:
        key = parse_key(name)
        found = names.find(key.base) if key else []
        if key is None or len(found) != 1 or key.part not in ("down", "up", "alpha"):
            raise VFEError(
                f"{path}: {preview_names([name])} belongs to no linear layer of this model; needed a plain LoRA of it"
            )
        parts.setdefault(found[0], {})[key.part] = name
    return {layer: _change(source, layer, part, scale_of) for layer, part in parts.items()}


def _change(source: TensorSource, layer: str, parts: Mapping[str, str], scale_of: LoraScale) -> LowRank:
    if not {"down", "up"} <= parts.keys():
        raise VFEError(f"{source.path}: {layer} has only one factor of a LoRA; the file is incomplete, get it again")
    down, up = source.get(parts["down"]), source.get(parts["up"])
    if down.ndim != 2 or up.ndim != 2 or up.shape[1] != down.shape[0] or 0 in (*up.shape, *down.shape):
        raise VFEError(
            f"{source.path}: {layer} has factors of {tuple(up.shape)} and {tuple(down.shape)}; "
            "needed (out, r) and (r, in)"
        )
    if "alpha" not in parts:
        key = parse_key(parts["up"])
        assert key is not None
        return LowRank(down, up, scale_of(key.base, len(down)))
    alpha = source.get(parts["alpha"])
    if alpha.numel() != 1:
        raise VFEError(f"{source.path}: {parts['alpha']} is {tuple(alpha.shape)}, needed one number")
    return LowRank(down, up, float(alpha) / len(down))
