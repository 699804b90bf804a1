"""Tiny random Wan DiTs written as every program writes them, and what reading a file back should give."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.support.tiny_dit import reference_dit
from vfe.models.dit.model import DiTConfig, WanDiT
from vfe.tensor_io.open import open_tensors
from vfe.types import VFEError

State = dict[str, Tensor]
Written = tuple[Path, State]
"""Where a model lies, and the official state dict that reading it should give."""

TINY_DIT = DiTConfig(dim=128, heads=1, layers=2, ffn_dim=192, freq_dim=32, text_dim=48)
"""One head of the width that all of Wan's have: such a file needs no note about its heads."""


def random_dit(config: DiTConfig = TINY_DIT, seed: int = 0) -> WanDiT:
    """A DiT whose every parameter matters: the untrained one's output is zero."""
    generator = torch.Generator().manual_seed(seed)
    model = WanDiT(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        spread = 0.5 / parameter.shape[-1] ** 0.5 if parameter.ndim > 1 else 0.1
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
    return model


def prefixed(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in state.items()}


def safetensors(prefix: str = "", dtype: torch.dtype = torch.float32) -> Callable[[Path, State], Written]:
    """As Wan's authors and ComfyUI write it."""

    def write(folder: Path, state: State) -> Written:
        state = {name: value.to(dtype) for name, value in state.items()}
        save_file(prefixed(state, prefix), folder / "model.safetensors")
        return folder / "model.safetensors", state

    return write


def pickled(prefix: str = "", *nests: str, old: bool = False) -> Callable[[Path, State], Written]:
    """torch.save of a state dict, in other dicts as training programs nest it."""

    def write(folder: Path, state: State) -> Written:
        nested: dict[str, Any] = prefixed(state, prefix)
        for nest in reversed(nests):
            nested = {nest: nested, "epoch": 3, "step": torch.tensor(7)}
        torch.save(nested, folder / "vividface.ckpt", _use_new_zipfile_serialization=not old)
        return folder / "vividface.ckpt", state

    return write


def training_run(folder: Path, state: State) -> Written:
    """A checkpoint with its optimizer, and a VAE beside the DiT."""
    moments = {index: {"exp_avg": value.clone()} for index, value in enumerate(state.values())}
    model = {**prefixed(state, "pipe.dit."), "pipe.vae.decoder.conv1.bias": torch.zeros(4)}
    torch.save({"state_dict": model, "optimizer": {"state": moments, "param_groups": []}}, folder / "last.ckpt")
    return folder / "last.ckpt", state


def diffusers_state(state: State) -> State:
    """The state dict under diffusers' names, translated by diffusers' own conversion."""
    single_file = pytest.importorskip("diffusers.loaders.single_file_utils")
    return single_file.convert_wan_transformer_to_diffusers(dict(state))


def diffusers_folder(*, shards: bool = False, pipeline: bool = False) -> Callable[[Path, State], Written]:
    """What `WanTransformer3DModel.save_pretrained` writes, also in the folder of a pipeline."""

    def write(folder: Path, state: State) -> Written:
        reference = reference_dit(TINY_DIT)
        reference.load_state_dict(diffusers_state(state))
        target = folder / "transformer" if pipeline else folder
        reference.save_pretrained(target, max_shard_size="1MB" if shards else "10GB")
        if pipeline:
            (folder / "vae").mkdir()
            save_file({"encoder.conv_in.bias": torch.zeros(4)}, folder / "vae" / "model.safetensors")
        assert (len(list(target.glob("*.safetensors"))) > 1) == shards
        return folder, state

    return write


def is_quantised(name: str, value: Tensor) -> bool:
    """ComfyUI quantises the linear layers of blocks."""
    return name.startswith("blocks.") and name.endswith(".weight") and value.ndim == 2


def fp8(style: str, prefix: str = "", form: str = "float8_e4m3fn") -> Callable[[Path, State], Written]:
    """ComfyUI's files of 8 bits: "plain" without scales, scaled "old" and "new", or noted in the "metadata"."""
    dtype = getattr(torch, form)

    def write(folder: Path, state: State) -> Written:
        stored: State = {}
        expected: State = {}
        metadata: dict[str, str] = {}
        layers: dict[str, object] = {}
        for name, value in state.items():
            layer = name.removesuffix(".weight")
            if not is_quantised(name, value):
                stored[name] = expected[name] = value.half()
                continue
            scale = torch.tensor(1.0) if style == "plain" else value.abs().max() / torch.finfo(dtype).max
            stored[name] = (value / scale).to(dtype)
            expected[name] = stored[name].float() * scale
            layers[f"{prefix}{layer}"] = {"format": form}
            if style == "old":
                stored[f"{layer}.scale_weight"], stored[f"{layer}.scale_input"] = scale, torch.tensor(0.5)
            elif style != "plain":
                stored[f"{layer}.weight_scale"], stored[f"{layer}.input_scale"] = scale, torch.tensor(0.5)
            if style == "new":
                note = json.dumps({"format": form}).encode()
                stored[f"{layer}.comfy_quant"] = torch.tensor(list(note), dtype=torch.uint8)
        if style == "old":
            stored["scaled_fp8"] = torch.zeros(2, dtype=dtype)
        if style == "metadata":
            metadata["_quantization_metadata"] = json.dumps({"format_version": "1.0", "layers": layers})
        save_file(prefixed(stored, prefix), folder / "model.safetensors", metadata)
        return folder / "model.safetensors", expected

    return write


DIT_LAYOUTS: dict[str, Callable[[Path, State], Written]] = {
    "official safetensors": safetensors(),
    "official pth": pickled(),
    "pth of torch before 1.6": pickled(old=True),
    "comfyui bf16": safetensors(dtype=torch.bfloat16),
    "comfyui fp16, prefixed": safetensors("model.diffusion_model.", torch.float16),
    "comfyui fp8": fp8("plain"),
    "comfyui fp8 e5m2": fp8("plain", form="float8_e5m2"),
    "comfyui fp8 scaled, old": fp8("old"),
    "comfyui fp8 scaled, old, prefixed": fp8("old", "model.diffusion_model."),
    "comfyui fp8 scaled, new": fp8("new"),
    "comfyui fp8 scaled, new, prefixed": fp8("new", "model.diffusion_model."),
    "comfyui fp8 scaled, in the metadata": fp8("metadata", form="float8_e5m2"),
    "diffusers folder": diffusers_folder(),
    "diffusers folder, sharded": diffusers_folder(shards=True),
    "diffusers pipeline folder": diffusers_folder(pipeline=True),
    "vividface": pickled(),
    "vividface state_dict": pickled("", "state_dict"),
    "vividface module, module.": pickled("module.", "module"),
    "vividface pipe.dit.": pickled("pipe.dit."),
    "vividface dit.": pickled("dit.", "state_dict"),
    "vividface model.": pickled("model.", "checkpoint", "generator"),
    "vividface with its optimizer": training_run,
}


def write_hole(path: Path, shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str] | None = None) -> Path:
    """A safetensors file of any size that takes no room: a header, and nothing written behind it."""
    header: dict[str, object] = {"__metadata__": dict(metadata or {})}
    place = 0
    for name, shape in shapes.items():
        places = [place, place + 2 * math.prod(shape)]
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": places}
        place = places[1]
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + place)
    return path


def assert_refused(path: Path, message: str) -> None:
    """Opening and reading everything ends in one line of that sense, which names the file."""
    with pytest.raises(VFEError, match=message) as caught:
        source = open_tensors(path)
        for name in source:
            source.get(name)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert text.isprintable()
    assert len(text) < 400 + 2 * len(str(path))


def holds(path: Path, state: dict[str, Tensor]) -> bool:
    source = open_tensors(path)
    return set(source) == state.keys() and all(torch.equal(source.get(name), state[name]) for name in source)
