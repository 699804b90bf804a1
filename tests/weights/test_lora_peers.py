"""LoRAs merge to the weights that peft and ComfyUI get from the same files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.comfy_checkout import comfyui_checkout
from tests.support.comfy_loras import MERGE_IN_COMFYUI
from tests.support.lora_layouts import ALPHA, LAYERS, OUTSIDE, RANK, factors, largest_difference, merged, written_as
from tests.support.weight_layouts import random_dit
from vfe.options import LoraFile
from vfe.weights.lora import merge_loras

Q = "diffusion_model.blocks.0.self_attn.q"

PEFT_OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {"lora_alpha": ALPHA},
    "rank-stabilised": {"lora_alpha": ALPHA, "use_rslora": True},
    "patterns": {"lora_alpha": ALPHA, "alpha_pattern": {"ffn.0": 9.0}, "rank_pattern": {"ffn.2": 2}},
    "biased": {"lora_alpha": ALPHA, "lora_bias": True},
}


def peft_model(options: dict[str, Any]) -> Any:  # noqa: ANN401 - peft is optional
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=RANK, target_modules=[*LAYERS, *OUTSIDE], **options)
    model = peft.get_peft_model(random_dit(), config)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model


# peft warns of the shape of a LoRA's bias, which it has itself made and saves all the same.
@pytest.mark.filterwarnings("ignore:Adapter 'default'. 15 LoRA tensor")
@pytest.mark.parametrize("options", PEFT_OPTIONS)
def test_merging_equals_peft(options: str, tmp_path: Path) -> None:
    """What peft saves, with the alpha in its config file, and what it merges itself."""
    state = dict(random_dit().state_dict())
    model = peft_model(PEFT_OPTIONS[options])
    model.save_pretrained(tmp_path)
    expected = model.merge_and_unload().state_dict()
    assert largest_difference(expected, state) > 0.1
    for path in (tmp_path, tmp_path / "adapter_model.safetensors"):
        assert largest_difference(merge_loras(state, [LoraFile(path)]), expected) <= 1e-6


def test_merging_equals_diffusers_with_its_metadata(tmp_path: Path) -> None:
    """`save_lora_adapter` keeps alpha in the metadata of the file."""
    state = dict(random_dit().state_dict())
    lora = factors(state)
    stored = written_as("diffusers", lora, None)
    config = {"transformer.r": RANK, "transformer.lora_alpha": ALPHA, "text_encoder.lora_alpha": 99.0}
    with_metadata = merged(state, stored, tmp_path, {"lora_adapter_metadata": json.dumps(config)})
    assert largest_difference(with_metadata, merged(state, written_as("bare", lora, ALPHA), tmp_path)) == 0.0


@pytest.mark.comfy
def test_merging_equals_comfyui(tmp_path: Path) -> None:
    comfyui = str(comfyui_checkout())
    state = dict(random_dit().state_dict())
    save_file(state, tmp_path / "base.safetensors")
    forms = ["comfyui lora_A", "comfyui lora_down", "kohya", "wan-fun"]
    lora = {layer: pair for layer, pair in factors(state).items() if layer != "patch_embedding"}
    for form in forms:
        save_file(written_as(form, lora, ALPHA), tmp_path / f"{form}.safetensors")
    whole = {f"{Q}.diff": torch.randn(128, 128), f"{Q}.diff_b": torch.randn(128)}
    whole["diffusion_model.blocks.1.modulation.diff"] = torch.randn(1, 6, 128)
    whole["diffusion_model.blocks.1.norm3.w_norm"] = torch.randn(128)
    whole["diffusion_model.blocks.1.norm3.b_norm"] = torch.randn(128)
    save_file(whole, tmp_path / "whole.safetensors")
    forms.append("whole")
    generator = torch.Generator().manual_seed(7)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * 0.3

    loha = {"hada_w1_a": (128, 4), "hada_w1_b": (4, 128), "hada_w2_a": (128, 4), "hada_w2_b": (4, 128)}
    for number, lokr in enumerate((
        {"lokr_w1": (4, 8), "lokr_w2": (32, 16)},
        {"lokr_w1_a": (4, 2), "lokr_w1_b": (2, 8), "lokr_w2": (32, 16)},
        {"lokr_w1": (4, 8), "lokr_w2_a": (32, 4), "lokr_w2_b": (4, 16)},
        loha,
    )):  # fmt: skip
        products = {f"{Q}.{part}": random(*shape) for part, shape in lokr.items()}
        products[f"{Q}.alpha"] = torch.tensor(3.0)
        save_file(products, tmp_path / f"lycoris {number}.safetensors")
        forms.append(f"lycoris {number}")
    command = [sys.executable, "-c", MERGE_IN_COMFYUI, str(tmp_path), *forms]
    done = subprocess.run(
        command, cwd=comfyui, env={**os.environ, "PYTHONPATH": comfyui}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for form in forms:
        theirs = load_file(tmp_path / f"{form} merged.safetensors")
        ours = merge_loras(state, [LoraFile(tmp_path / f"{form}.safetensors", 0.7)])
        assert largest_difference(theirs, state) > 0.1
        assert largest_difference(ours, theirs) <= 1e-6, form
