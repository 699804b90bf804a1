"""From files to a Wan restorer under ComfyUI: weights as they are stored, LoRAs as patches."""

from __future__ import annotations

from collections import defaultdict

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher
from comfy.weight_adapter import LoRAAdapter
from torch import Tensor

from ...vfe.device import dtypes_for
from ...vfe.loading.wan import CPU, DiTWeights, OpenedWan, WanFiles, WanRun, foretold_sizes, open_wan
from ...vfe.models.dit.attention_backends import choose_attention
from ...vfe.models.dit.model import WanDiT
from ...vfe.models.wan import ConditionedDiT
from ...vfe.models.wan_vae import WanVAE
from ...vfe.tensor_io.load import build_on_meta, load_strictly
from ...vfe.types import Tell
from ...vfe.weights.adapter import load_adapter
from ...vfe.weights.lora import Delta
from ...vfe.weights.wan_vae import load_vae
from .ops import COMFY_OPS
from .patcher import PREFIX
from .wan import ComfyWan, WanNetworks

DIT = f"{PREFIX}dit."
"""Of the DiT's parameters, as its patcher calls them."""


def load_comfy_wan(name: str, files: WanFiles, dtype: torch.dtype | None, attention: str, tell: Tell) -> ComfyWan:
    """On the CPU, in `dtype`; None: the fastest of the device. Raises VFEError for files that do not fit."""
    opened = open_wan(files)
    device = comfy.model_management.get_torch_device()
    run = WanRun(device=device, dtypes=(dtype or dtypes_for(device)[0],), budget=0, attention=attention)
    weights = DiTWeights(opened.parts.dit_source, files.loras)
    restorer = ComfyWan(name, _read(files, opened, run), tell)
    add_loras(restorer.dit_patcher, weights.plan.deltas)
    return restorer


def _read(files: WanFiles, opened: OpenedWan, run: WanRun) -> WanNetworks:
    parts, dtype = opened.parts, run.dtypes[0]
    sizes = foretold_sizes(parts, run, dtype)
    attention = choose_attention(run.attention, run.device, dtype, parts.dit.head_dim)
    dit = build_on_meta(lambda: WanDiT(parts.dit, COMFY_OPS, attention))

    def read(name: str) -> Tensor:
        comfy.model_management.throw_exception_if_processing_interrupted()  # it may be gigabytes
        return parts.dit_source.get(name)

    dit = load_strictly(dit, read, files.dit, device=CPU, dtype=dtype)
    return WanNetworks(
        dit=ConditionedDiT(dit, opened.flow.timestep, opened.context),
        vae=load_vae(files.vae, device=CPU, dtype=sizes.vae_dtype, build=lambda config: WanVAE(config, COMFY_OPS)),
        adapter=None if files.adapter is None else load_adapter(files.adapter, dtype, COMFY_OPS),
        flow=opened.flow,
        sizes=sizes,
    )


def add_loras(patcher: ModelPatcher, deltas: dict[str, list[Delta]]) -> None:
    """Have a patcher change the DiT's parameters when it loads them; those of one strength at once."""
    patches: defaultdict[tuple[int, float], dict[str, object]] = defaultdict(dict)
    for parameter, changes in deltas.items():
        for place, delta in enumerate(changes):
            patches[place, delta.scale][f"{DIT}{parameter}"] = _patch(delta)
    for (_, scale), changed in patches.items():
        added = patcher.add_patches(changed, strength_patch=scale)
        assert len(added) == len(changed)


def _patch(delta: Delta) -> object:
    """As ComfyUI's loaders make it: the factors of a low-rank change, a whole change as it is."""
    if delta.read_factors is None:
        return "diff", (delta.read(),)
    up, down = delta.read_factors()
    weights: tuple[Tensor | None, ...] = (up, down, None, None, None, None)  # no alpha: it is in the strength
    return LoRAAdapter(set(), weights)
