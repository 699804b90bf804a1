"""The Wan model from the files that users have: LoRAs merged, prompt and timestep folded in."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import nn

from ..device import free_memory
from ..models.dit.attention_backends import choose_attention
from ..models.dit.experts import add_experts
from ..models.dit.folded import FoldedDiT, fold
from ..models.dit.fp8 import FP8, store_fp8
from ..models.dit.model import WanDiT
from ..models.wan import ConditionedDiT, WanCompute, WanModel
from ..pipeline.memory_aware import MemoryAwarePipeline
from ..pipeline.memory_plan import WanSizes, first_fitting
from ..tensor_io.load import build_on_meta
from ..types import Notify
from ..weights.adapter import load_adapter
from ..weights.wan_vae import load_vae
from .dit_weights import DiTWeights
from .request import LoadRequest
from .wan_files import WanFiles, open_wan_files

KERNEL_SHARE = 5 / 3
"""What runs of the VAE is derived from its weights, and takes at most so many times their bytes. The kernels of a step
that leaves float16's range and is repeated in float32 are not counted: where they do not fit, the next plan has room.
"""


def load_wan_pipeline(request: LoadRequest, notify: Notify) -> MemoryAwarePipeline:
    """Return the pipeline of a Wan model: weights are loaded, LoRAs merged, timestep and prompt folded.

    The weights stay on the CPU until the size of the first frame decides the memory plan. Without `request.window` its
    length is left to that plan: 81 frames, or what fits. Raises VFEError for files that are not what they should be, or
    do not fit together.
    """
    files, options = open_wan_files(request), request.options
    budget = options.memory or free_memory(request.device)
    possible = [estimated_sizes(files, WanCompute(request.device, dtype, options.fp8)) for dtype in request.dtypes]
    sizes = first_fitting(possible, budget, request.window)
    compute = sizes.compute
    vae = load_vae(files.vae.path, dtype=compute.vae_dtype)
    dit = _load_dit(files, request, compute.dtype)
    if compute.fp8:
        store_fp8(dit.blocks)
    adapter = None if files.adapter is None else load_adapter(files.adapter.path, compute.dtype)
    model = WanModel(dit, vae, files.flow, compute, adapter=adapter, compiled=options.compile)
    return MemoryAwarePipeline(model, loaded_sizes(sizes, model), budget, request.window, notify)


def _load_dit(files: WanFiles, request: LoadRequest, dtype: torch.dtype) -> FoldedDiT | ConditionedDiT:
    """Return the DiT with its LoRAs, timestep and prompt, on the CPU in `dtype`."""
    config, timestep = files.dit_config, files.flow.timestep
    attention = choose_attention(request.options.attention, request.device, dtype, config.head_dim)
    weights = DiTWeights(files.dit, files.loras, experts=files.experts)

    def build() -> WanDiT:
        dit = WanDiT(config, attention=attention)
        if files.experts is not None:
            add_experts(dit, files.experts.said.sizes)
        return dit

    dit = build_on_meta(build)
    dit.roll = files.roll
    if request.options.fold:
        return fold(weights.fill_in_turn(dit), timestep, files.prompt, dtype)
    return ConditionedDiT(weights.fill(dit, dtype), timestep, files.prompt.to(dtype))


def estimated_sizes(files: WanFiles, compute: WanCompute) -> WanSizes:
    """Return what `loaded_sizes` will, or up to a sixth more, before any weight is read.

    How many weights folding drops is not known before it is done.
    """
    weights = DiTWeights(files.dit, files.loras)
    taken = {name: _bytes_of(name, weights, compute) for name in files.dit.names}
    layers = files.dit_config.layers
    blocks = [
        sum(count for name, count in taken.items() if name.startswith(f"blocks.{index}.")) for index in range(layers)
    ]
    experts = files.experts.source.parameters // layers if files.experts else 0
    adapter = files.adapter.parameters * compute.dtype.itemsize if files.adapter else 0
    vae_bytes = _vae_bytes(files.vae.parameters * compute.vae_dtype.itemsize, compute)
    return WanSizes(
        dit=files.dit_config,
        vae=files.vae_config,
        prior=files.adapter_config.prior if files.adapter_config else None,
        compute=compute,
        block_bytes=max(blocks) + experts * compute.dtype.itemsize,
        fixed_bytes=sum(taken.values()) - sum(blocks) + adapter + vae_bytes,
        unpacks=any(weights.stays_packed(name) for name in files.dit.names),
    )


def _bytes_of(name: str, weights: DiTWeights, compute: WanCompute) -> int:
    """Return the bytes that a tensor of the file will take."""
    if weights.stays_packed(name):
        return weights.packed_bytes(name)
    in_block = name.startswith("blocks.")
    return math.prod(weights.source.shape(name)) * (FP8 if compute.fp8 and in_block else compute.dtype).itemsize


def loaded_sizes(sizes: WanSizes, model: WanModel) -> WanSizes:
    """Return `sizes` with the bytes of the weights as they are now."""
    blocks = [_bytes(block) for block in model.dit.blocks]
    others = _bytes(model.dit) - sum(blocks) + (_bytes(model.adapter) if model.adapter else 0)
    fixed = others + _vae_bytes(_bytes(model.codec), sizes.compute)
    return replace(sizes, block_bytes=max(blocks), fixed_bytes=fixed)


def _vae_bytes(weights: int, compute: WanCompute) -> int:
    """Return the bytes of the VAE's kernels, and of its weights too where both are in the same memory."""
    return int(weights * (KERNEL_SHARE if compute.has_own_memory else 1 + KERNEL_SHARE))


def _bytes(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
