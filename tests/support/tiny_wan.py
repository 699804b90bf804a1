"""A tiny Wan model with random weights, folded, and its sizes for the memory plan."""

from __future__ import annotations

import torch

from tests.support.tiny_dit import padded_prompt, random_dit, tiny_config
from vfe.models.dit.folded import fold
from vfe.models.flow import OneStepFlow
from vfe.models.wan import WanCompute, WanModel
from vfe.models.wan_vae import WanVAE, WanVAEConfig
from vfe.pipeline.memory_plan import (
    WanSizes,
)

CPU = torch.device("cpu")
ON_GPU = WanCompute(torch.device("cuda"), torch.bfloat16)


def tiny_wan() -> WanModel:
    """A model of two networks, in float32 on the CPU."""
    config = tiny_config(in_channels=16, patch=(1, 2, 2))
    dit = fold(random_dit(config), 400.0, padded_prompt(1, 8, config.text_dim))
    torch.manual_seed(0)
    vae = WanVAE(WanVAEConfig(dim=8, blocks=1)).eval().requires_grad_(False)
    return WanModel(dit, vae, OneStepFlow(), WanCompute(CPU, torch.float32))


def sizes_of(model: WanModel) -> WanSizes:
    """The sizes of `tiny_wan` as the memory plan takes them, for a GPU with bfloat16."""
    return WanSizes(dit=model.dit.config, vae=model.codec.config, compute=ON_GPU, block_bytes=1000, fixed_bytes=1000)
