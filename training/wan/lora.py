"""LoRA on a Wan DiT, by peft: W + (alpha / r) B A (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language
Models").

r rank; A (r, in) starts random, B (out, r) at zero: at the start the network is the base, to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from vfe.models.dit.model import WanDiT
from vfe.tensor_io.source import preview_names
from vfe.types import VFEError
from vfe.weights.save import LowRank, read_lora

from ..run.recorded import NOT_RECORDED

LORA_LAYERS = (
    *(f"{attention}.{layer}" for attention in ("self_attn", "cross_attn") for layer in "qkvo"),
    *("ffn.0", "ffn.2"),
)
"""The linear layers of a DiT block, by their official names in it."""


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """Rank and scale; `targets` are linear layers of every block, by their names in it."""

    rank: int = 128
    alpha: float = 128.0
    targets: tuple[str, ...] = LORA_LAYERS
    init: str | None = field(default=None, metadata=NOT_RECORDED)
    """A LoRA file of the same rank and layers to go on from, instead of a random A and a zero B."""

    def __post_init__(self) -> None:
        if self.rank < 1 or not math.isfinite(self.alpha) or self.alpha <= 0:
            raise ValueError(f"lora has rank={self.rank}, alpha={self.alpha}, needed 1 or more and above 0")
        unknown = sorted(set(self.targets) - set(LORA_LAYERS))
        if unknown or not self.targets:
            raise ValueError(f"lora.targets are {list(self.targets)}, needed some of {list(LORA_LAYERS)}")


def add_lora(dit: WanDiT, config: LoraConfig) -> None:
    """Put LoRA layers around the targets, in place: they are trained, in float32, and all else is frozen.

    Raises VFEError where `config.init` does not fit.
    """
    import peft

    adapter = peft.LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules=list(config.targets))  # type: ignore[arg-type]
    peft.inject_adapter_in_model(adapter, dit)
    if config.init is not None:
        _fill(dit, Path(config.init))


def changes_of(dit: WanDiT) -> dict[str, LowRank]:
    """{official layer: its change}, of the parameters themselves; empty without LoRA."""
    from peft.tuners.lora import Linear

    changes = {}
    for name, layer in dit.named_modules():
        if isinstance(layer, Linear):
            down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
            assert isinstance(down, Tensor) and isinstance(up, Tensor)
            changes[name] = LowRank(down, up, layer.scaling["default"])
    return changes


def base_state(dit: WanDiT) -> dict[str, Tensor]:
    """{official name: tensor} of the DiT without its LoRA, if it has one."""
    state = dit.state_dict(keep_vars=True)
    return {name.replace(".base_layer.", "."): value for name, value in state.items() if ".lora_" not in name}


@torch.no_grad()
def _fill(dit: WanDiT, path: Path) -> None:
    """Take the factors of a file; where its scale is another, B makes up for it."""
    found, own = read_lora(path, base_state(dit)), changes_of(dit)
    if found.keys() != own.keys():
        differing = sorted(found.keys() ^ own.keys())
        raise VFEError(
            f"{path}: its layers are not those of lora.targets ({preview_names(differing)}); change lora.targets"
        )
    for layer, target in own.items():
        change = found[layer]
        if (change.down.shape, change.up.shape) != (target.down.shape, target.up.shape):
            raise VFEError(
                f"{path}: {layer} has factors of {tuple(change.up.shape)} and {tuple(change.down.shape)}, needed "
                f"{tuple(target.up.shape)} and {tuple(target.down.shape)}: rank and model need to be the same"
            )
        target.down.copy_(change.down)
        target.up.copy_(change.up.float() * (change.scale / target.scale))
