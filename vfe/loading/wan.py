"""The Wan restorer from the files that users have: LoRAs merged, prompt and timestep folded in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from ..models.dit.attention_backends import choose_attention
from ..models.dit.folded import BlocksInTurn, FoldedDiT, fold
from ..models.dit.fp8 import FP8, store_fp8
from ..models.dit.model import DiTConfig, WanDiT
from ..models.flow import OneStepFlow
from ..models.prior.fusion import check_prior
from ..models.wan import ConditionedDiT, Placement, WanRestorer
from ..models.wan_vae import WanVAEConfig
from ..pipeline.memory_aware import PlannedPipeline
from ..pipeline.memory_plan import WanSizes, choose_dtype
from ..pipeline.one_step import WindowConfig
from ..tensor_io.load import build_on_meta, load_strictly
from ..tensor_io.open import open_tensors
from ..tensor_io.source import TensorSource
from ..types import Tell, VFEError
from ..weights.adapter import adapter_config, load_adapter, open_adapter
from ..weights.context import read_context
from ..weights.lora import LoraPlan, LoraSpec
from ..weights.wan_dit import check_size, open_dit, read_flow
from ..weights.wan_vae import load_vae, open_vae

Network = TypeVar("Network", bound=nn.Module)

CPU = torch.device("cpu")
# What runs of the VAE is derived from its weights, and at most of so many times their size. Those of a step that leaves
# float16's range and is repeated in float32 are not counted: where they do not fit, the next plan has room for them.
KERNELS = 5 / 3


@dataclass(frozen=True, kw_only=True)
class WanFiles:
    """What a restorer is made of. LoRAs are merged in their order."""

    dit: Path
    vae: Path
    context: Path
    loras: tuple[LoraSpec, ...] = ()
    adapter: Path | None = None
    """Prior and fusion of DVFace."""
    needed: DiTConfig | None = None
    """The size of the DiT that was asked for; None: any."""


@dataclass(frozen=True, kw_only=True)
class WanRun:
    """How it is run: none of this changes the result beyond rounding, but for `attention` sage and `fp8`."""

    device: torch.device
    dtypes: tuple[torch.dtype, ...]
    """For the DiT, in order of preference: the first one is taken in which a whole window fits."""
    budget: int
    """Bytes of the device's memory that may be used."""
    attention: str = "sdpa"
    compile: bool = False
    fold: bool = True
    fp8: bool = False
    """Store the DiT's linear layers in 8 bits."""

    @property
    def discrete(self) -> bool:
        """Whether the device has memory of its own."""
        return self.device.type in ("cuda", "xpu")

    def vae_dtype(self, dtype: torch.dtype) -> torch.dtype:
        """Beside a DiT in `dtype`: fp16 keeps 18 dB more of the VAE's precision than bf16, where it is fast."""
        return torch.float16 if self.device.type == "cuda" and dtype == torch.bfloat16 else dtype


def load_wan(files: WanFiles, run: WanRun, window: WindowConfig | None, tell: Tell) -> PlannedPipeline:
    """Load, merge, fold; weights stay on the CPU until the first frame says what the plan is.

    `window` None leaves its length to the plan: 81 frames, or what fits.

    Raises VFEError for files that are not what they should be, or do not fit together.
    """
    opened = open_wan(files)
    parts, flow, context = opened.parts, opened.flow, opened.context
    config, weights = parts.dit, DiTWeights(parts.dit_source, files.loras)
    sizes = choose_dtype([foretold_sizes(parts, run, dtype) for dtype in run.dtypes], run.budget, window)
    vae = load_vae(files.vae, dtype=sizes.vae_dtype)
    attention = choose_attention(run.attention, run.device, sizes.dtype, config.head_dim)
    dit = build_on_meta(lambda: WanDiT(config, attention=attention))
    conditioned: FoldedDiT | ConditionedDiT
    if run.fold:
        conditioned = fold(weights.fill_in_turn(dit), flow.timestep, context, sizes.dtype)
    else:
        conditioned = ConditionedDiT(weights.fill(dit, sizes.dtype), flow.timestep, context.to(sizes.dtype))
    if run.fp8:
        store_fp8(conditioned.blocks)
    adapter = None if files.adapter is None else load_adapter(files.adapter, sizes.dtype)
    placement = Placement(run.device, sizes.dtype)
    model = WanRestorer(conditioned, vae, flow, placement, adapter=adapter, compiled=run.compile)
    return PlannedPipeline(model, loaded_sizes(sizes, model), run.budget, window, tell)


class OpenedWan(NamedTuple):
    """What the files of a restorer say of themselves, and the small things in them; no weight was read."""

    parts: Parts
    flow: OneStepFlow
    context: Tensor


def open_wan(files: WanFiles) -> OpenedWan:
    """Raises VFEError for files that are not what they should be, or do not fit together."""
    config, source = open_dit(files.dit)
    if files.needed is not None:
        _check_asked_for(files.dit, config, files.needed)
    flow = _flow_of([source, *(open_tensors(lora.path) for lora in files.loras)])
    context = read_context(files.context, config.text_dim)
    vae_config, vae_source = open_vae(files.vae)
    prior = None if files.adapter is None else _fitting_adapter(files.adapter, config, vae_config)
    return OpenedWan(Parts(config, source, vae_config, vae_source, prior), flow, context)


def _flow_of(sources: Sequence[TensorSource]) -> OneStepFlow:
    """The step that a DiT or its LoRAs were trained by; VFEError where they say different ones."""
    noted = {flow: source.path for source in sources if (flow := read_flow(source)) is not None}
    if len(noted) > 1:
        said = "; ".join(f"{path} was trained by {flow.rule} at t* = {flow.timestep:g}" for flow, path in noted.items())
        raise VFEError(f"{said}: one step can follow one rule only, leave one of them out")
    return next(iter(noted), OneStepFlow())


class DiTWeights:
    """The tensors of a DiT's file with LoRAs merged into them, read when a network is filled with them."""

    def __init__(self, source: TensorSource, loras: Sequence[LoraSpec]) -> None:
        self.source = source
        self.plan = LoraPlan(loras, {name: source.shape(name) for name in source.names})

    def fill(self, part: Network, dtype: torch.dtype, prefix: str = "") -> Network:
        """Give a DiT that was built on meta, or its part of that prefix, weights in `dtype`."""

        def read(name: str) -> Tensor:
            return self.plan.merge(f"{prefix}{name}", self.source.get(f"{prefix}{name}"))

        return load_strictly(part, read, self.source.path, device=CPU, dtype=dtype)

    def fill_in_turn(self, dit: WanDiT) -> WanDiT:
        """Give it weights in float32, but the blocks only when each is taken out of `dit.blocks`.

        Folding does that, and rounds once, from float32: so one block is in memory in that, and not all.
        """
        for name, part in dit.named_children():
            if part is not dit.blocks:
                self.fill(part, torch.float32, f"{name}.")
        dit.blocks = BlocksInTurn(dit.blocks, lambda index, block: self.fill(block, torch.float32, f"blocks.{index}."))
        return dit


class Parts(NamedTuple):
    """What the files say of themselves before they are read."""

    dit: DiTConfig
    dit_source: TensorSource
    vae: WanVAEConfig
    vae_source: TensorSource
    adapter: TensorSource | None


def foretold_sizes(parts: Parts, run: WanRun, dtype: torch.dtype) -> WanSizes:
    """What `loaded_sizes` will say, or a sixth more: which weights folding drops is not known before it is done."""
    source, adapter = parts.dit_source, parts.adapter
    parameters = {name: math.prod(source.shape(name)) for name in source.names}
    block = sum(count for name, count in parameters.items() if name.startswith("blocks.0."))
    others = sum(parameters.values()) - block * parts.dit.layers + (adapter.parameters if adapter else 0)
    vae_dtype = run.vae_dtype(dtype)
    vae_bytes = _vae_bytes(parts.vae_source.parameters * vae_dtype.itemsize, run.discrete)
    return WanSizes(
        dit=parts.dit,
        vae=parts.vae,
        block_bytes=block * (FP8 if run.fp8 else dtype).itemsize,
        fixed_bytes=others * dtype.itemsize + vae_bytes,
        prior=adapter_config(adapter).prior if adapter else None,
        dtype=dtype,
        vae_dtype=vae_dtype,
        fp8=run.fp8,
        discrete=run.discrete,
    )


def loaded_sizes(sizes: WanSizes, model: WanRestorer) -> WanSizes:
    """The same with the bytes of the weights as they are now."""
    blocks = model.dit.blocks
    block = _bytes(blocks[0])
    others = _bytes(model.dit) - block * len(blocks) + (_bytes(model.adapter) if model.adapter else 0)
    return replace(sizes, block_bytes=block, fixed_bytes=others + _vae_bytes(_bytes(model.codec), sizes.discrete))


def _fitting_adapter(path: Path, dit: DiTConfig, vae: WanVAEConfig) -> TensorSource:
    """VFEError where an adapter is for another DiT."""
    source = open_adapter(path)
    config = adapter_config(source)
    if config.fusion is not None:  # `load_adapter` refuses a prior alone
        try:
            check_prior(config.prior, config.fusion, dit, vae.time, vae.space)
        except ValueError as error:
            raise VFEError(f"{path}: {error}; needed the adapter that was trained with this DiT") from None
    return source


def _vae_bytes(weights: int, discrete: bool) -> int:
    """Of the derived kernels, and of the weights too where they share the memory."""
    return int(weights * (KERNELS if discrete else 1 + KERNELS))


def _check_asked_for(path: Path, config: DiTConfig, needed: DiTConfig) -> None:
    """VFEError where the DiT that was found by a name is not of the size that the name stands for."""
    try:
        check_size(path, config, needed)
    except VFEError as error:
        raise VFEError(f"{error}, or its path with --model to use it anyway") from None


def _bytes(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
