"""From files to a Wan restorer under ComfyUI: networks of ComfyUI's layers, LoRAs as patches where it can patch."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import comfy.model_management
from comfy.model_patcher import ModelPatcher
from comfy.weight_adapter import LoHaAdapter, LoKrAdapter, LoRAAdapter
from torch import Tensor

from ...vfe.loading.dit_weights import DiTWeights
from ...vfe.loading.request import LoadRequest
from ...vfe.loading.wan import estimated_sizes
from ...vfe.loading.wan_files import WanFiles, open_wan_files
from ...vfe.models.dit.attention_backends import choose_attention
from ...vfe.models.dit.experts import BASE, add_experts, official_name
from ...vfe.models.dit.fp8 import NO_FP8, quantise
from ...vfe.models.dit.model import WanDiT
from ...vfe.models.wan import ConditionedDiT, WanCompute
from ...vfe.models.wan_vae import WanVAE
from ...vfe.quants.block_format import BlockFormat
from ...vfe.quants.fp8_rows import fp8_rows, pack_rows
from ...vfe.tensor_io.load import build_on_meta
from ...vfe.types import Notify, VFEError
from ...vfe.weights.adapter import load_adapter
from ...vfe.weights.lora import Delta
from ...vfe.weights.lycoris import Hadamard, Kronecker
from ...vfe.weights.wan_vae import load_vae
from .ops import COMFY_OPS, ComfyPackedLinear
from .patcher import PREFIX
from .wan import ComfyWan, WanNetworks

BLOCKS = "blocks."
DIT = f"{PREFIX}dit."
"""What the names of the DiT's parameters begin with in its patcher."""


def load_comfy_wan(name: str, request: LoadRequest, notify: Notify) -> ComfyWan:
    """Read the files of a request into a RESTORER whose weights are on the CPU, in the first dtype of the request.

    `name` is for people, `notify` gets lines for them. Raises VFEError for files that do not fit each other.
    """
    files = open_wan_files(request)
    weights = ComfyDiTWeights(files.dit, files.loras, ComfyPackedLinear, files.experts)
    weights.fp8 = request.options.fp8
    if weights.fp8 and request.device.type == "mps":
        raise VFEError(NO_FP8)
    restorer = ComfyWan(name, _read(files, request, weights), notify)
    restorer.trained = files.trained
    add_loras(restorer.dit_patcher, weights.patches())
    return restorer


class ComfyDiTWeights(DiTWeights):
    """The tensors of a DiT's file; LoRAs are patches, but in layers of packed weights, which ComfyUI cannot patch.

    With `fp8` the linear layers of the blocks that no file has packed are packed as float8, LoRAs merged before.
    """

    fp8 = False

    def format_of(self, name: str) -> BlockFormat | None:
        """Return the format in which a layer has its weight; None for one that is not packed."""
        form = super().format_of(name)
        if form is None and self.fp8 and name.startswith(BLOCKS) and name.endswith(".weight"):
            shape = self.source.shape(name)
            return fp8_rows(shape[1]) if len(shape) == 2 else None
        return form

    def read(self, name: str) -> Tensor:
        """Read a tensor; a user who presses Cancel is heard between two, for it may be gigabytes."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        official = official_name(name)
        if official not in self.source:
            return super().read(name)
        if not self._is_of_packed_layer(official):
            return self.source.get(official)
        tensor = super().read(name)
        if self.stays_packed(official) or self.format_of(official) is None:
            return tensor
        return pack_rows(*quantise(tensor))

    def patches(self) -> dict[str, list[Delta]]:
        """Return the changes that the patcher is to make, by the name of the parameter."""
        return {name: deltas for name, deltas in self.plan.deltas.items() if not self._is_of_packed_layer(name)}

    def _is_of_packed_layer(self, name: str) -> bool:
        weight = f"{name.removesuffix('.bias')}.weight" if name.endswith(".bias") else name
        return weight in self.source and self.format_of(weight) is not None


def _read(files: WanFiles, request: LoadRequest, weights: DiTWeights) -> WanNetworks:
    """Read the networks of opened files on the CPU."""
    config, options = files.dit_config, request.options
    compute = WanCompute(request.device, request.dtypes[0], options.fp8)
    attention = choose_attention(options.attention, request.device, compute.dtype, config.head_dim)

    def build() -> WanDiT:
        dit = WanDiT(config, COMFY_OPS, attention)
        if files.experts is not None:
            add_experts(dit, files.experts.said.sizes)
        return dit

    dit = weights.fill(build_on_meta(build), compute.dtype)
    return WanNetworks(
        dit=ConditionedDiT(dit, files.flow.timestep, files.prompt),
        vae=load_vae(files.vae.path, dtype=compute.vae_dtype, build=lambda config: WanVAE(config, COMFY_OPS)),
        adapter=None if files.adapter is None else load_adapter(files.adapter.path, compute.dtype, COMFY_OPS),
        flow=files.flow,
        sizes=replace(estimated_sizes(files, compute), unpacks=any(map(weights.format_of, weights.source.names))),
        compiled=options.compile,
    )


def add_loras(patcher: ModelPatcher, deltas: dict[str, list[Delta]]) -> None:
    """Have a patcher change the DiT's parameters when it loads them: {parameter: the changes of each LoRA, in order}.

    A patcher takes one strength a call, so the changes of one strength and one position in the order go together.
    """
    known = patcher.model.state_dict().keys()
    patches: defaultdict[tuple[int, float], dict[str, object]] = defaultdict(dict)
    for parameter, changes in deltas.items():
        layer, _, part = f"{DIT}{parameter}".rpartition(".")
        name = f"{layer}.{part}" if f"{layer}.{part}" in known else f"{layer}{BASE}{part}"  # with experts beside it
        for position, delta in enumerate(changes):
            patches[position, delta.scale][name] = _patch(delta)
    for (_, scale), changed in patches.items():
        added = patcher.add_patches(changed, strength_patch=scale)
        assert len(added) == len(changed)


def _adapter(products: Hadamard | Kronecker) -> object:
    """Return the factors of a LoHa or LoKr as ComfyUI has them; alpha is in the strength."""
    if isinstance(products, Hadamard):
        return LoHaAdapter(set(), (products.a1, products.b1, None, products.a2, products.b2, None, None, None))
    (w1, w1_a, w1_b), (w2, w2_a, w2_b) = (
        (part, None, None) if isinstance(part, Tensor) else (None, *part) for part in products
    )
    return LoKrAdapter(set(), (w1, w2, None, w1_a, w1_b, w2_a, w2_b, None, None))


def _patch(delta: Delta) -> object:
    """Return a change as ComfyUI's loaders make it: the factors of a LoRA, LoHa or LoKr, any other as it is."""
    if delta.read_products is not None:
        return _adapter(delta.read_products())
    if delta.read_factors is None:
        return "diff", (delta.read(),)
    up, down = delta.read_factors()
    weights: tuple[Tensor | None, ...] = (up, down, None, None, None, None)  # no alpha: it is in the strength
    return LoRAAdapter(set(), weights)
