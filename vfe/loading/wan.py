"""The Wan model from the files that users have: LoRAs merged, prompt and timestep folded in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..device import free_memory
from ..models.dit.attention_backends import choose_attention
from ..models.dit.experts import add_experts, official_name
from ..models.dit.folded import BlocksInTurn, FoldedDiT, fold
from ..models.dit.fp8 import FP8, store_fp8
from ..models.dit.model import WanDiT
from ..models.wan import ConditionedDiT, WanCompute, WanModel
from ..options import LoraFile
from ..pipeline.memory_aware import MemoryAwarePipeline
from ..pipeline.memory_plan import WanSizes, first_fitting
from ..tensor_io.load import CPU, build_on_meta, load_strictly
from ..tensor_io.source import TensorSource
from ..types import Notify
from ..weights.adapter import load_adapter
from ..weights.experts import OpenExperts
from ..weights.lora import LoraPlan
from ..weights.wan_vae import load_vae
from .request import LoadRequest
from .wan_files import WanFiles, open_wan_files

Part = TypeVar("Part", bound=nn.Module)

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
    weights = DiTWeights(files.dit, files.loras, files.experts)

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


class DiTWeights:
    """The tensors of a DiT's file with LoRAs merged into them, read when a network is filled with them.

    Experts stay beside them.
    """

    def __init__(self, source: TensorSource, loras: Sequence[LoraFile], experts: OpenExperts | None = None) -> None:
        self.source, self.experts = source, experts
        self.plan = LoraPlan(loras, {name: source.shape(name) for name in source.names})

    def fill(self, part: Part, dtype: torch.dtype, prefix: str = "") -> Part:
        """Give a DiT that was built on meta, or its part of that prefix, weights in `dtype`."""

        return load_strictly(
            part, lambda name: self._read(f"{prefix}{name}"), self.source.path, device=CPU, dtype=dtype
        )

    def _read(self, name: str) -> Tensor:
        if self.experts is not None and name in self.experts.source:
            change = self.experts.source.get(name)
            return change * self.experts.strength if name.endswith(".up") else change
        official = official_name(name)
        return self.plan.merge(official, self.source.get(official))

    def fill_in_turn(self, dit: WanDiT) -> WanDiT:
        """Give it weights in float32, but the blocks only when each is taken out of `dit.blocks`.

        Folding does that, and rounds once, from float32: so one block is in memory in that, and not all.
        """
        for name, part in dit.named_children():
            if part is not dit.blocks:
                self.fill(part, torch.float32, f"{name}.")
        dit.blocks = BlocksInTurn(dit.blocks, lambda index, block: self.fill(block, torch.float32, f"blocks.{index}."))
        return dit


def estimated_sizes(files: WanFiles, compute: WanCompute) -> WanSizes:
    """Return what `loaded_sizes` will, or up to a sixth more, before any weight is read.

    How many weights folding drops is not known before it is done.
    """
    parameters = {name: math.prod(files.dit.shape(name)) for name in files.dit.names}
    block = sum(count for name, count in parameters.items() if name.startswith("blocks.0."))
    others = sum(parameters.values()) - block * files.dit_config.layers
    block += files.experts.source.parameters // files.dit_config.layers if files.experts else 0
    others += files.adapter.parameters if files.adapter else 0
    vae_bytes = _vae_bytes(files.vae.parameters * compute.vae_dtype.itemsize, compute)
    return WanSizes(
        dit=files.dit_config,
        vae=files.vae_config,
        prior=files.adapter_config.prior if files.adapter_config else None,
        compute=compute,
        block_bytes=block * (FP8 if compute.fp8 else compute.dtype).itemsize,
        fixed_bytes=others * compute.dtype.itemsize + vae_bytes,
    )


def loaded_sizes(sizes: WanSizes, model: WanModel) -> WanSizes:
    """Return `sizes` with the bytes of the weights as they are now."""
    blocks = model.dit.blocks
    block = _bytes(blocks[0])
    others = _bytes(model.dit) - block * len(blocks) + (_bytes(model.adapter) if model.adapter else 0)
    return replace(sizes, block_bytes=block, fixed_bytes=others + _vae_bytes(_bytes(model.codec), sizes.compute))


def _vae_bytes(weights: int, compute: WanCompute) -> int:
    """Return the bytes of the VAE's kernels, and of its weights too where both are in the same memory."""
    return int(weights * (KERNEL_SHARE if compute.has_own_memory else 1 + KERNEL_SHARE))


def _bytes(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
