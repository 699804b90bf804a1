"""The weights of a DiT's file, into a network that was built on meta: LoRAs merged, quantised ones as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..models.dit.experts import official_name
from ..models.dit.folded import BlocksInTurn
from ..models.dit.model import WanDiT
from ..models.dit.packed import LowRank, PackedLinear
from ..options import LoraFile
from ..quants.block_format import BlockFormat
from ..tensor_io.load import CPU, load_strictly
from ..tensor_io.source import TensorSource
from ..weights.experts import OpenExperts
from ..weights.lora import LoraPlan

Part = TypeVar("Part", bound=nn.Module)
BuildPacked = Callable[[BlockFormat, nn.Linear], PackedLinear]
"""Makes the layer of packed weights that takes the place of a linear one."""

HEAD = "head."
"""The names of the last layer, which is small, start so: it is never packed, and its dtype is that of the network."""


class DiTWeights:
    """The tensors of a DiT's file with LoRAs merged into them, read when a network is filled with them.

    Quantised matrices become layers of `packed`, whose LoRAs are added when they are unpacked. Experts stay beside all.
    """

    def __init__(
        self,
        source: TensorSource,
        loras: Sequence[LoraFile] = (),
        packed: BuildPacked = PackedLinear,
        experts: OpenExperts | None = None,
    ) -> None:
        self.source, self.experts = source, experts
        self.plan = LoraPlan(loras, {name: source.shape(name) for name in source.names})
        self.packed = packed

    def stays_packed(self, name: str) -> bool:
        """Whether a tensor stays quantised in memory: not where a LoRA changes it by a whole difference."""
        stored = self.source.entry(name).packed
        if stored is None or not stored.in_rows or name.startswith(HEAD) or not name.endswith(".weight"):
            return False
        return all(delta.read_factors is not None for delta in self.plan.deltas.get(name, ()))

    def format_of(self, name: str) -> BlockFormat | None:
        """Return the format in which a layer has its weight; None for one that is not packed."""
        stored = self.source.entry(name).packed
        return stored.form if stored is not None and self.stays_packed(name) else None

    def packed_bytes(self, name: str) -> int:
        """Return the bytes that a tensor which stays packed takes together with the factors of its LoRAs."""
        return self.source.entry(name).bytes + sum(delta.factor_bytes for delta in self.plan.deltas.get(name, ()))

    def read(self, name: str) -> Tensor:
        """Read a tensor as a network takes it: with its LoRAs, or as it is in the file where it stays packed."""
        if self.experts is not None and name in self.experts.source:
            change = self.experts.source.get(name)
            return change * self.experts.strength if name.endswith(".up") else change
        name = official_name(name)
        if self.stays_packed(name):
            return self.source.get_packed(name)
        return self.plan.merge(name, self.source.get(name))

    def fill(self, part: Part, dtype: torch.dtype, prefix: str = "") -> Part:
        """Give a DiT that was built on meta, or its part of that prefix, weights in `dtype`."""
        packed = self._pack(part, prefix)

        load_strictly(part, lambda name: self.read(f"{prefix}{name}"), self.source.path, device=CPU, dtype=dtype)
        for name, layer in packed.items():
            for delta in self.plan.deltas.get(name, ()) if self.stays_packed(name) else ():
                assert delta.read_factors is not None
                layer.add(LowRank(delta.scale, *delta.read_factors()))
        return part

    def fill_in_turn(self, dit: WanDiT) -> WanDiT:
        """Give it weights in float32, but the blocks only when each is taken out of `dit.blocks`.

        Folding does that, and rounds once, from float32: so one block is in memory in that, and not all.
        """
        for name, part in dit.named_children():
            if part is not dit.blocks:
                self.fill(part, torch.float32, f"{name}.")
        dit.blocks = BlocksInTurn(dit.blocks, lambda index, block: self.fill(block, torch.float32, f"blocks.{index}."))
        return dit

    def _pack(self, part: nn.Module, prefix: str) -> dict[str, PackedLinear]:
        """Replace the linear layers below `part` whose weights stay packed; {name of the weight: layer}."""
        packed: dict[str, PackedLinear] = {}
        for name, layer in list(part.named_modules()):
            weight = official_name(f"{prefix}{name}.weight")
            form = self.format_of(weight) if isinstance(layer, nn.Linear) else None
            if form is not None:
                packed[weight] = self.packed(form, layer)
                owner, _, leaf = name.rpartition(".")
                setattr(part.get_submodule(owner), leaf, packed[weight])
        return packed
