"""Tiny random files of a Wan restorer in ComfyUI's folders, and the nodes that use them, for tests inside ComfyUI."""

from __future__ import annotations

from pathlib import Path

import folder_paths
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.support.comfy_pack import Loose, images_of, run, smooth_clip
from tests.support.tiny_prior import tiny_adapter, tiny_fusion
from tests.support.tiny_vae import random_vae
from tests.support.weight_layouts import TINY_DIT, random_dit
from vfe.weights.adapter import write_adapter
from vfe.weights.prompt import write_prompt_embedding

MODELS = Path(folder_paths.models_dir)
DIT, VAE = MODELS / "diffusion_models" / "dit.safetensors", MODELS / "vae" / "vae.safetensors"
CONTEXT, ADAPTER = MODELS / "vfe" / "context.safetensors", MODELS / "vfe" / "adapter.safetensors"
LORAS = [MODELS / "loras" / f"lora{number}.safetensors" for number in (1, 2)]
CLIP = smooth_clip(14, 40, 56)


def write_files() -> None:
    """All of them; `LORAS` change a layer in common and one each."""
    for path in (DIT, VAE, CONTEXT, LORAS[0]):
        path.parent.mkdir(parents=True, exist_ok=True)
    save_file(random_dit().state_dict(), DIT)
    save_file(random_vae().state_dict(), VAE)
    generator = torch.Generator().manual_seed(1)
    write_prompt_embedding(CONTEXT, torch.randn(3, TINY_DIT.text_dim, generator=generator))
    write_adapter(ADAPTER, tiny_adapter(tiny_fusion(TINY_DIT.dim, TINY_DIT.layers)), {}, torch.float32)
    for path, layers in zip(LORAS, (("self_attn.q", "ffn.0"), ("ffn.0", "cross_attn.v")), strict=True):
        save_file(lora(layers, generator), path)


def lora(layers: tuple[str, ...], generator: torch.Generator) -> dict[str, Tensor]:
    """Low-rank changes with an alpha, and whole ones of a bias, a norm and a modulation."""
    state: dict[str, Tensor] = {}
    for name in (f"blocks.{block}.{layer}" for block in range(TINY_DIT.layers) for layer in layers):
        outputs = TINY_DIT.ffn_dim if name.endswith("ffn.0") else TINY_DIT.dim
        state[f"diffusion_model.{name}.lora_A.weight"] = 0.2 * torch.randn(4, TINY_DIT.dim, generator=generator)
        state[f"diffusion_model.{name}.lora_B.weight"] = 0.2 * torch.randn(outputs, 4, generator=generator)
        state[f"diffusion_model.{name}.alpha"] = torch.tensor(6.0)
        state[f"diffusion_model.{name}.diff_b"] = 0.1 * torch.randn(outputs, generator=generator)
    state["diffusion_model.blocks.1.norm3.diff"] = 0.1 * torch.randn(TINY_DIT.dim, generator=generator)
    state["diffusion_model.blocks.0.diff_m"] = 0.1 * torch.randn(1, 6, TINY_DIT.dim, generator=generator)
    return state


def loaded(loras: int = 0, adapter: bool = False, **options: Loose) -> Loose:
    """The restorer of the node."""
    slots = {f"lora_{number + 1}": LORAS[number].name for number in range(loras)}
    strengths = {f"strength_{number + 1}": (0.7, -0.4)[number] for number in range(loras)}
    chosen = {"adapter": ADAPTER.name} if adapter else {}
    return run("LoadWanRestorer", **{"model": DIT.name, "dtype": "fp32", **slots, **strengths, **chosen, **options})[0]


def enhanced(restorer: Loose, clip: Tensor = CLIP, **options: Loose) -> dict[str, Loose]:
    chosen = {"window": 9, "overlap": 1, **options}
    latent: dict[str, Loose] = run("OneStepEnhance", restorer=restorer, images=images_of(clip), **chosen)[0]
    return latent


def decoded(latent: dict[str, Loose], **options: Loose) -> Tensor:
    images: Tensor = run("VAEDecodeTiled", latent=latent, **options)[0]
    return images
