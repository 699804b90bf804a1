"""The Wan restorer from the files that users have: LoRAs merged, prompt and timestep folded in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .memory import WanSizes
from .models.attention import choose_attention
from .models.dit import DiTConfig, WanDiT
from .models.flow import OneStepFlow
from .models.folded import FoldedDiT, fold
from .models.fp8 import store_fp8
from .models.wan import ConditionedDiT, Placement, WanRestorer
from .models.wan_vae import WanVAE
from .pipeline import WindowConfig
from .planned import PlannedPipeline
from .types import Tell
from .weights.context import read_context
from .weights.lora import LoraSpec
from .weights.tensor_file import open_tensors
from .weights.wan_dit import is_dit, load_dit, official, open_dit, read_flow
from .weights.wan_vae import load_vae

# Above this a float32 copy, from which merging and folding round only once, is too much for most machines' memory.
EXACT_PARAMETERS = 3e9
VAE_KERNELS = 2  # times its weights: what runs is derived from them, at most 5/3 of their size


@dataclass(frozen=True, kw_only=True)
class WanFiles:
    """What a restorer is made of. LoRAs are merged in their order."""

    dit: Path
    vae: Path
    context: Path
    loras: tuple[LoraSpec, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WanRun:
    """How it is run: none of this changes the result beyond rounding, but for `attention` sage and `fp8`."""

    placement: Placement
    vae_dtype: torch.dtype
    budget: int
    """Bytes of the device's memory that may be used."""
    attention: str = "sdpa"
    compile: bool = False
    fold: bool = True
    fp8: bool = False
    """Store the DiT's linear layers in 8 bits."""


def load_wan(files: WanFiles, run: WanRun, window: WindowConfig | None, tell: Tell) -> PlannedPipeline:
    """Load, merge, fold; weights stay on the CPU until the first frame says what the plan is.

    `window` None leaves its length to the plan: 81 frames, or what fits.

    Raises VFEError for files that are not what they should be, or do not fit together.
    """
    flow = read_flow(official(open_tensors(files.dit, is_dit))) or OneStepFlow()
    config, _ = open_dit(files.dit)
    context = read_context(files.context, config.text_dim)
    vae = load_vae(files.vae, dtype=run.vae_dtype)
    dit = _load_dit(files, config, run)
    conditioned = _condition(dit, flow, context, run)
    if run.fp8:
        store_fp8(conditioned.blocks)
    model = WanRestorer(conditioned, vae, flow, run.placement, compiled=run.compile)
    return PlannedPipeline(model, sizes_of(conditioned, vae, run), run.budget, window, tell)


def _load_dit(files: WanFiles, config: DiTConfig, run: WanRun) -> WanDiT:
    placement = run.placement
    attention = choose_attention(run.attention, placement.device, placement.dtype, config.head_dim)
    exact = 12 * config.layers * config.dim**2 < EXACT_PARAMETERS
    return load_dit(
        files.dit,
        files.loras,
        dtype=torch.float32 if exact else placement.dtype,
        build=lambda size: WanDiT(size, attention=attention),
    )


def _condition(dit: WanDiT, flow: OneStepFlow, context: Tensor, run: WanRun) -> FoldedDiT | ConditionedDiT:
    dtype = run.placement.dtype
    if run.fold:
        return fold(dit, flow.timestep, context, dtype)
    return ConditionedDiT(dit.to(dtype), flow.timestep, context.to(dtype))


def sizes_of(dit: FoldedDiT | ConditionedDiT, vae: WanVAE, run: WanRun) -> WanSizes:
    """Bytes of the weights as they are now."""
    blocks = dit.blocks
    block = _bytes(blocks[0])
    return WanSizes(
        dit=dit.config,
        vae=vae.config,
        block_bytes=block,
        fixed_bytes=_bytes(dit) - block * len(blocks) + VAE_KERNELS * _bytes(vae),
        dit_itemsize=run.placement.dtype.itemsize,
        vae_itemsize=run.vae_dtype.itemsize,
        streams=run.placement.device.type in ("cuda", "xpu"),
    )


def _bytes(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
