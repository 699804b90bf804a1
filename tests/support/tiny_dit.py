"""Small DiTs with random weights of a trained model's spread, and prompt embeddings padded as Wan pads them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from vfe.models.dit.model import DiTConfig, WanDiT

TIMESTEP = 400.0


def tiny_config(**changes: Any) -> DiTConfig:  # noqa: ANN401 (fields of DiTConfig)
    sizes = {"in_channels": 4, "dim": 24, "heads": 2, "layers": 3, "ffn_dim": 32, "freq_dim": 32, "text_dim": 16}
    return DiTConfig(**{**sizes, **changes})


def random_dit(config: DiTConfig) -> WanDiT:
    """Weights that keep the spread of what they multiply, norms around 1, and a modulation that matters."""
    with torch.device("meta"):
        model = WanDiT(config)
    model = model.to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    for name, value in model.named_parameters():
        spread = 0.3 if value.ndim == 1 or "modulation" in name else math.sqrt(3 / value[0].numel())
        value.data.uniform_(-spread, spread, generator=generator)
        if "norm" in name and name.endswith("weight"):
            value.data += 1
    return model.requires_grad_(False)


def padded_prompt(tokens: int, rows: int, width: int) -> Tensor:
    """(1, rows, width): `tokens` random rows, then zeros."""
    prompt = torch.zeros(1, rows, width)
    prompt[:, :tokens] = torch.randn(1, tokens, width, generator=torch.Generator().manual_seed(1))
    return prompt


def random_latent(config: DiTConfig, grid: tuple[int, int, int], batch: int = 1) -> Tensor:
    return torch.randn(batch, config.in_channels, *grid, generator=torch.Generator().manual_seed(2))


def psnr(x: Tensor, reference: Tensor) -> float:
    """In dB, with the largest magnitude of the reference as its peak; at most 200."""
    x, reference = x.float(), reference.float()
    noise = (x - reference).square().mean().sqrt() / reference.abs().max()
    return -20 * math.log10(max(noise.item(), 1e-10))


def reference_dit(config: DiTConfig) -> Any:  # noqa: ANN401 - diffusers has no types
    """diffusers' transformer of that size."""
    diffusers = pytest.importorskip("diffusers")
    return diffusers.WanTransformer3DModel(
        patch_size=config.patch,
        num_attention_heads=config.heads,
        attention_head_dim=config.head_dim,
        in_channels=config.in_channels,
        out_channels=config.in_channels,
        text_dim=config.text_dim,
        freq_dim=config.freq_dim,
        ffn_dim=config.ffn_dim,
        num_layers=config.layers,
    ).eval()


DIFFUSERS_NAMES = {
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "head.head": "proj_out",
    "head.modulation": "scale_shift_table",
    "self_attn.o": "attn1.to_out.0",
    "cross_attn.o": "attn2.to_out.0",
    "self_attn.norm": "attn1.norm",
    "cross_attn.norm": "attn2.norm",
    "self_attn.": "attn1.to_",
    "cross_attn.": "attn2.to_",
    "norm3": "norm2",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
    "modulation": "scale_shift_table",
}


def diffusers_name(name: str) -> str:
    for ours, theirs in DIFFUSERS_NAMES.items():
        if ours in name:
            name = name.replace(ours, theirs, 1)
            if not ours.startswith(("self_attn", "cross_attn")) or ours.endswith((".o", ".norm")):
                break
            break
    return name
