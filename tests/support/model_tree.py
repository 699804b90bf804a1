"""Folders of model files for tests: the smallest files that each kind is recognised by."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.support.tiny_umt5 import save
from vfe.library.folders import ModelFolder
from vfe.weights.prompt import write_prompt_embedding


def forget_this_machine(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """No variable and no cache of the machine that the tests run on counts."""
    for variable in ("VFE_MODELS", "COMFYUI_PATH", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("XDG_CACHE_HOME", "HOME", "USERPROFILE", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(home))


def folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def empty(path: Path) -> Path:
    folder(path.parent)
    path.touch()
    return path


def link(path: Path, target: Path) -> None:
    folder(path.parent)
    try:
        path.symlink_to(target)
    except OSError as error:
        pytest.skip(f"no symbolic links here: {error}")  # Windows gives them to administrators only


def model_folders(path: Path) -> list[ModelFolder]:
    return [ModelFolder("here", path)]


def dit_state() -> dict[str, Tensor]:
    """What a Wan DiT is recognised by, in the smallest sizes: width 128, 1 block."""
    width, ffn = 128, 8
    shapes: dict[str, tuple[int, ...]] = {
        "patch_embedding.weight": (width, 16, 1, 2, 2),
        "text_embedding.0.weight": (width, 16),
        "time_embedding.0.weight": (width, 256),
        "head.modulation": (1, 2, width),
        "head.head.weight": (64, width),
        "blocks.0.modulation": (1, 6, width),
        "blocks.0.self_attn.q.weight": (width, width),
        "blocks.0.ffn.0.weight": (ffn, width),
    }
    return {name: torch.zeros(shape) for name, shape in shapes.items()}


def write_dit(path: Path) -> Path:
    folder(path.parent)
    if path.suffix == ".safetensors":
        return save(dit_state(), path)
    torch.save(dit_state(), path)
    return path


def write_vae(path: Path, value: float = 0.0) -> Path:
    """What a Wan VAE is recognised by; `value` makes files differ."""
    from vfe.models.wan_vae.config import WanVAEConfig
    from vfe.models.wan_vae.model import WanVAE

    folder(path.parent)
    with torch.device("meta"):
        shapes = WanVAE(WanVAEConfig(dim=8)).state_dict()
    return save({name: torch.full(tensor.shape, value) for name, tensor in shapes.items()}, path)


def write_lora(path: Path) -> Path:
    folder(path.parent)
    layer = "diffusion_model.blocks.0.self_attn.q"
    return save({f"{layer}.lora_A.weight": torch.ones(2, 8), f"{layer}.lora_B.weight": torch.ones(8, 2)}, path)


def write_prompt(path: Path, value: float = 1.0) -> Path:
    folder(path.parent)
    write_prompt_embedding(path, torch.full((1, 4096), value))
    return path
