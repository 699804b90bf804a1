"""Tell which layer of the model a name in a LoRA file means, and which part of its change.

diffusion_model.blocks.0.ffn.0.lora_A.weight (ComfyUI), base_model.model.blocks.0.ffn.0.lora_A.default.weight (peft),
transformer.blocks.0.ffn.net.0.proj.lora_A.weight (diffusers) and lora_unet_blocks_0_ffn_0.lora_down.weight (kohya)
are one and the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal, NamedTuple

from .dit_names import layer_in_diffusers, split_parameter

Part = Literal[
    "down", "up", "up_bias", "alpha", "diff", "diff_b",
    "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b",
    "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b",
]  # fmt: skip
HADAMARD: frozenset[Part] = frozenset(("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"))
"""The factors of LoHa."""
KRONECKER: frozenset[Part] = frozenset(
    ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b"),
)
"""The factors of LoKr, not all of which a layer has."""

# down and up are the factors A and B of B A; diff and diff_b whole changes of weight and bias, as ComfyUI reads them
# (w_norm and b_norm are LyCORIS's names for them).
_PARTS: tuple[tuple[str, Part], ...] = (
    (r"\.lora_A(\.[^.]+)?\.weight|\.lora_A|[._]lora[._]down\.weight|\.lora_linear_layer\.down\.weight", "down"),
    (r"\.lora_B(\.[^.]+)?\.weight|\.lora_B|[._]lora[._]up\.weight|\.lora_linear_layer\.up\.weight", "up"),
    (r"\.lora_B(\.[^.]+)?\.bias", "up_bias"),
    (r"\.alpha", "alpha"),
    (r"\.diff|\.w_norm", "diff"),
    (r"\.diff_b|\.b_norm", "diff_b"),
    *((rf"\.{part}", part) for part in sorted(HADAMARD | KRONECKER)),
)
_UNSUPPORTED = (
    (r"\.dora_scale|\.lora_magnitude_vector.*", "DoRA"),
    (r"\.hada_t\d", "LoHa of convolutions (hada_t1)"),
    (r"\.lokr_t\d", "LoKr of convolutions (lokr_t2)"),
    (r"\.(oft|boft)_\w+", "OFT"),
    (r"\.lora_mid\.weight", "LoCon (lora_mid)"),
    (r"\.(set_weight|reshape_weight)", "a weight that is replaced, not changed"),
)
NEEDED_INSTEAD = (
    "needed a plain LoRA, a LoHa or a LoKr: merge it into its DiT with the program that made it, and choose that DiT"
)
MODULATION_CHANGE = ".diff_m"  # LightX2V's LoRAs: the change of <base>.modulation, a parameter without a layer
_KOHYA = re.compile(r"(?:lora_unet_{1,2}|lora_transformer_|lycoris_)(.+)")  # Wan-Fun's have two underscores
MAX_PREFIX = 4  # dotted components in front of a layer's name: base_model.model.transformer....


class LoraKey(NamedTuple):
    """What a name in a LoRA file says."""

    base: str  # the layer's name, as the file writes it
    part: Part


def is_lora(names: Iterable[str]) -> bool:
    """Whether any of these names belongs to a LoRA."""
    parts = [pattern for pattern, part in _PARTS if part != "alpha"] + [pattern for pattern, _ in _UNSUPPORTED]
    ends = re.compile(rf".+(?:{'|'.join(parts)}|{re.escape(MODULATION_CHANGE)})")
    return any(ends.fullmatch(name) for name in names)


def parse_key(name: str) -> LoraKey | None:
    """Split a name in a LoRA file into layer and part; None where the part is none of those known."""
    if name.endswith(MODULATION_CHANGE):
        return LoraKey(f"{name[: -len(MODULATION_CHANGE)]}.modulation", "diff")
    for pattern, part in _PARTS:
        if match := re.fullmatch(rf"(.+?)(?:{pattern})", name):
            return LoraKey(match[1], part)
    return None


def unsupported_kind(names: Iterable[str]) -> str | None:
    """Return the kind of an adapter that cannot be merged here ("DoRA", "LoHa", ...), or None for others."""
    for name in names:
        for pattern, kind in _UNSUPPORTED:
            if re.fullmatch(rf".+(?:{pattern})", name):
                return kind
    return None


def lycoris_kind(names: Iterable[str]) -> str | None:
    """Return "LoHa" or "LoKr" where a file has factors of one, which is loaded and cannot be trained; else None."""
    parts = {key.part for name in names if (key := parse_key(name))}
    return "LoHa" if parts & HADAMARD else "LoKr" if parts & KRONECKER else None


class LayerNames:
    """Finds the layer of a model that a name in a LoRA file means."""

    def __init__(self, parameters: Iterable[str]) -> None:
        self.parameters = frozenset(parameters)
        self._dotted: dict[str, str] = {}
        self._flat: defaultdict[str, set[str]] = defaultdict(set)
        for layer in {split_parameter(name)[0] for name in self.parameters}:
            for alias in (layer, layer_in_diffusers(layer)):
                self._dotted[alias] = layer
                self._flat[alias.replace(".", "_")].add(layer)
        self._dotted.update({layer: layer for layer in self._dotted.values()})  # an official name wins

    def find(self, base: str) -> list[str]:
        """Return the layers that `base` may mean: none, one, or several where underscores leave it open."""
        if kohya := _KOHYA.fullmatch(base):
            return sorted(self._flat.get(kohya[1], ()))
        parts = base.split(".")
        for skipped in range(min(MAX_PREFIX + 1, len(parts))):
            layer = self._dotted.get(".".join(parts[skipped:]))
            if layer is not None:
                return [layer]
        return []

    def weight(self, layer: str) -> str | None:
        """Return the name of a layer's weight; a parameter that is no layer's (modulation) is its own."""
        return next((name for name in (f"{layer}.weight", layer) if name in self.parameters), None)

    def bias(self, layer: str) -> str | None:
        """Return the name of a layer's bias, None for a layer without one."""
        return f"{layer}.bias" if f"{layer}.bias" in self.parameters else None
