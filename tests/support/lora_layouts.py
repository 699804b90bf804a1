"""One random LoRA for the tiny DiT, written as every program writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from vfe.options import LoraFile
from vfe.weights.dit_names import layer_in_diffusers
from vfe.weights.lora import merge_loras

State = dict[str, Tensor]
RANK, ALPHA = 4, 6.0
LAYERS = ["self_attn.q", "self_attn.v", "self_attn.o", "cross_attn.k", "ffn.0", "ffn.2"]
OUTSIDE = ["time_projection.1", "head.head", "patch_embedding"]


def all_layers() -> list[str]:
    return [f"blocks.{block}.{layer}" for block in range(2) for layer in LAYERS] + OUTSIDE


def factors(state: State) -> dict[str, tuple[Tensor, Tensor]]:
    """{layer: (A, B)} of a random LoRA whose changes are as large as the weights."""
    generator = torch.Generator().manual_seed(3)
    found = {}
    for layer in all_layers():
        weight = state[f"{layer}.weight"]
        down = torch.randn(RANK, *weight.shape[1:], generator=generator) / weight[0].numel() ** 0.5
        up = torch.randn(len(weight), RANK, *[1] * (weight.ndim - 2), generator=generator) * 0.2
        found[layer] = (down, up)
    return found


def merged(state: State, lora: State, folder: Path, metadata: dict[str, str] | None = None) -> State:
    save_file({name: value.contiguous() for name, value in lora.items()}, folder / "lora.safetensors", metadata)
    return merge_loras(state, [LoraFile(folder / "lora.safetensors")])


def largest_difference(a: State, b: State) -> float:
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a)


def kohya(layer: str) -> str:
    return "lora_unet_" + layer.replace(".", "_")


FORMATS: dict[str, tuple[Callable[[str], str], str, str]] = {
    "comfyui lora_A": (lambda layer: f"diffusion_model.{layer}", ".lora_A.weight", ".lora_B.weight"),
    "comfyui lora_down": (lambda layer: f"diffusion_model.{layer}", ".lora_down.weight", ".lora_up.weight"),
    "comfyui lora.down": (lambda layer: f"diffusion_model.{layer}", ".lora.down.weight", ".lora.up.weight"),
    "bare": (lambda layer: layer, ".lora_A", ".lora_B"),
    "peft": (lambda layer: f"base_model.model.{layer}", ".lora_A.weight", ".lora_B.weight"),
    "peft, named": (lambda layer: f"base_model.model.{layer}", ".lora_A.default.weight", ".lora_B.default.weight"),
    "diffsynth": (lambda layer: f"pipe.dit.{layer}", ".lora_A.default.weight", ".lora_B.default.weight"),
    "diffusers": (lambda layer: f"transformer.{layer_in_diffusers(layer)}", ".lora_A.weight", ".lora_B.weight"),
    "old diffusers": (lambda layer: f"transformer.{layer_in_diffusers(layer)}", "_lora.down.weight", "_lora.up.weight"),
    "kohya": (kohya, ".lora_down.weight", ".lora_up.weight"),
    "kohya, diffusers names": (
        lambda layer: "lora_transformer_" + layer_in_diffusers(layer).replace(".", "_"),
        ".lora_down.weight",
        ".lora_up.weight",
    ),
    "wan-fun": (lambda layer: "lora_unet__" + layer.replace(".", "_"), ".lora_down.weight", ".lora_up.weight"),
}


def written_as(form: str, lora: dict[str, tuple[Tensor, Tensor]], alpha: float | None) -> State:
    base_of, down_name, up_name = FORMATS[form]
    stored: State = {}
    for layer, (down, up) in lora.items():
        base = base_of(layer)
        stored[base + down_name], stored[base + up_name] = down, up
        if alpha is not None:
            stored[f"{base}.alpha"] = torch.tensor(alpha)
    return stored
