"""LoRAs are merged exactly into the weights that they change: W + sum of strength * (alpha / r) * B A, in float32.

The products of LoHa and LoKr (vfe/weights/lycoris.py) take the place of B A.

r rank; A (r, in) is the down, B (out, r) the up projection.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from ..options import LoraFile
from ..tensor_io.open import open_tensors
from ..tensor_io.source import TensorSource, preview_names
from ..types import VFEError
from . import lycoris
from .lora_keys import HADAMARD, KRONECKER, NEEDED_INSTEAD, LayerNames, Part, is_lora, parse_key, unsupported_kind
from .lora_scale import LoraScale
from .lora_target import lora_target
from .lycoris import Hadamard, Kronecker

Shape = tuple[int, ...]
Parts = dict[Part, str]
"""The names of the tensors of one layer in a LoRA file, by the part of the change that each is."""


@dataclass(frozen=True)
class Delta:
    """A change of one parameter: `scale` times the float32 tensor that `read` gives, of the parameter's shape."""

    scale: float
    read: Callable[[], Tensor]
    read_factors: Callable[[], tuple[Tensor, Tensor]] | None = None
    """Reads the factors B and A of a low-rank change as the file has them, for hosts that multiply them themselves;
    None for a change that is stored whole."""
    factor_bytes: int = 0
    """The bytes that these factors take."""
    read_products: Callable[[], Hadamard | Kronecker] | None = None
    """Reads the factors of a LoHa or LoKr as the file has them, for hosts that multiply them themselves."""


class LoraPlan:
    """The changes that several LoRAs make to a model, found before any weight is read.

    `shapes` are those of the model's parameters, under official names. Raises VFEError for a file that is no LoRA, one
    of another model, and kinds whose change depends on the weights (DoRA, OFT).
    """

    def __init__(self, specs: Sequence[LoraFile], shapes: Mapping[str, Shape]) -> None:
        self.deltas: defaultdict[str, list[Delta]] = defaultdict(list)
        names = LayerNames(shapes)
        for spec in specs:
            for parameter, delta in _read_lora(spec, names, shapes):
                self.deltas[parameter].append(delta)

    def merge(self, name: str, weight: Tensor) -> Tensor:
        """Return a parameter with its changes added in float32; the same tensor where there are none."""
        deltas = self.deltas.get(name)
        if not deltas:
            return weight
        merged = weight.float().clone()
        for delta in deltas:
            merged.add_(delta.read(), alpha=delta.scale)
        return merged


def merge_loras(state: Mapping[str, Tensor], specs: Sequence[LoraFile]) -> dict[str, Tensor]:
    """Return a state dict with LoRAs merged in float32 and each tensor cast back once.

    Raises VFEError as `LoraPlan` does.
    """
    plan = LoraPlan(specs, {name: tuple(weight.shape) for name, weight in state.items()})
    return {name: plan.merge(name, weight).to(weight.dtype) for name, weight in state.items()}


def _read_lora(spec: LoraFile, names: LayerNames, shapes: Mapping[str, Shape]) -> list[tuple[str, Delta]]:
    """Return (name of the parameter, its change) for all changes of one file.

    Raises VFEError for a tensor that is part of no change.
    """
    source = open_tensors(spec.path)
    kind = unsupported_kind(source.names)
    if kind is not None:
        raise VFEError(f"{spec.path}: {kind}, which cannot be merged here; {NEEDED_INSTEAD}")
    if not is_lora(source.names):
        raise VFEError(
            f"{spec.path}: no LoRA (it holds {preview_names(source.names)}); needed lora_A/B, lora_up/down or .diff"
        )
    scale_of = LoraScale(source)
    deltas = []
    for layer, parts in _group(source, names).items():
        if parts.keys() & (HADAMARD | KRONECKER):
            parameter = names.weight(layer)
            if parameter is None or parts.keys() - HADAMARD - KRONECKER - {"alpha"}:
                raise VFEError(f"{spec.path}: {layer} has parts of several kinds of LoRA; save one adapter alone")
            deltas.append(_read_products(spec, source, parts, layer, (parameter, shapes[parameter])))
            continue
        low_rank = _low_rank_scale(source, parts, layer, scale_of)
        scales: dict[Part, float] = {"up": low_rank, "up_bias": low_rank, "diff": 1.0, "diff_b": 1.0}
        for part in scales.keys() & parts.keys():
            parameter = names.weight(layer) if part in ("up", "diff") else names.bias(layer)
            if parameter is None:
                raise VFEError(f"{spec.path}: {parts[part]} changes a parameter that this model's {layer} lacks")
            read = _reader(source, parts, part, shapes[parameter])
            scale = spec.strength * scales[part]
            if part != "up":
                deltas.append((parameter, Delta(scale, read)))
                continue
            factors = parts["up"], parts["down"]
            bytes_of_both = sum(source.entry(name).bytes for name in factors)
            deltas.append((parameter, Delta(scale, read, partial(_factors, source, *factors), bytes_of_both)))
    return deltas


def _read_products(
    spec: LoraFile,
    source: TensorSource,
    parts: Parts,
    layer: str,
    weight: tuple[str, Shape],
) -> tuple[str, Delta]:
    """Return (name of the weight, its change) for a layer of a LoHa or LoKr."""
    parameter, shape = weight
    products = lycoris.Parts(source, parts, layer, shape)
    alpha = _alpha(source, parts) if "alpha" in parts else None
    scale = 1.0 if alpha is None or products.rank is None else alpha / products.rank
    read = partial(_change_of_products, products, shape)
    return parameter, Delta(spec.strength * scale, read, read_products=products.read)


def _group(source: TensorSource, names: LayerNames) -> dict[str, Parts]:
    """Return {layer of the model: its tensors in the file}; VFEError for a name that means no layer, or several."""
    groups: defaultdict[str, Parts] = defaultdict(dict)
    strangers = []
    for name in source.names:
        key = parse_key(name)
        layers = names.find(key.base) if key else []
        if key is None or not layers:
            strangers.append(name)
            continue
        if len(layers) > 1:
            raise VFEError(f"{source.path}: {name} may mean {preview_names(layers)}; rename it with dots")
        parts = groups[layers[0]]
        if key.part in parts:
            raise VFEError(f"{source.path}: {name} and {parts[key.part]} mean the same; save one adapter alone")
        parts[key.part] = name
    whole = [name for name in strangers if names.find(name.removesuffix(".weight").removesuffix(".bias"))]
    if strangers and whole == strangers:
        raise VFEError(
            f"{source.path}: beside its LoRA it holds whole weights ({whole[0]}, {source.shape(whole[0])}), which "
            "cannot be merged here; save the DiT with both in it by the tool that made them, and give that as the model"
        )
    if strangers:
        raise VFEError(
            f"{source.path}: {_made_for(source)}{len(strangers)} of its {len(source)} tensors belong to no layer of "
            f"this model ({preview_names(strangers)}); needed a LoRA of Wan2.1 text-to-video of the same size"
        )
    return groups


def _low_rank_scale(source: TensorSource, parts: Parts, layer: str, scale_of: LoraScale) -> float:
    """Return alpha / r of one layer; 1 where neither file nor config says otherwise, or there are no factors."""
    if ("up" in parts) != ("down" in parts) or ("up_bias" in parts and "up" not in parts):
        raise VFEError(f"{source.path}: {layer} has only one factor of a LoRA; the file is incomplete, get it again")
    if "up" not in parts:
        if parts.keys() == {"alpha"}:
            raise VFEError(f"{source.path}: {layer} has an alpha and nothing to scale; the file is incomplete")
        return 1.0
    up, down = source.shape(parts["up"]), source.shape(parts["down"])
    if len(up) < 2 or len(down) < 2 or up[1] != down[0] or 0 in up or 0 in down:
        raise VFEError(f"{source.path}: {layer} has factors of {up} and {down}; needed (out, r) and (r, in)")
    if "alpha" in parts:
        return _alpha(source, parts) / down[0]
    key = parse_key(parts["up"])
    assert key is not None
    return scale_of(key.base, down[0])


def _alpha(source: TensorSource, parts: Parts) -> float:
    """Return the alpha of a layer; VFEError where it is not one number."""
    if source.shape(parts["alpha"]) not in ((), (1,)):
        raise VFEError(f"{source.path}: {parts['alpha']} is {source.shape(parts['alpha'])}, needed one number")
    return float(source.get(parts["alpha"]))


def _made_for(source: TensorSource) -> str:
    """Return the part of a sentence that says which model a LoRA is for; empty where nothing tells."""
    target = lora_target(source)
    return "" if target is None else f"a LoRA for {target}: "


def _reader(source: TensorSource, parts: Parts, part: Part, shape: Shape) -> Callable[[], Tensor]:
    """Return what reads the change of a parameter; VFEError where the file's tensors do not give its `shape`."""
    change, whole = source.shape(parts[part]), True
    read = partial(_whole, source, parts[part])
    if part == "up":
        down = source.shape(parts["down"])
        whole = math.prod(change) == change[0] * change[1]  # the up of a convolution is 1 x 1
        change, read = (change[0], *down[1:]), partial(_product, source, parts["up"], parts["down"], shape)
    if change != shape or not whole:
        raise VFEError(
            f"{source.path}: {_made_for(source)}{parts[part]} changes a weight of {change}, this model's is {shape}; "
            "needed a LoRA for a model of this size"
        )
    return read


def _product(source: TensorSource, up: str, down: str, shape: Shape) -> Tensor:
    return (source.get(up).float().flatten(1) @ source.get(down).float().flatten(1)).reshape(shape)


def _factors(source: TensorSource, up: str, down: str) -> tuple[Tensor, Tensor]:
    return source.get(up), source.get(down)


def _change_of_products(products: lycoris.Parts, shape: Shape) -> Tensor:
    return products.read().change(shape)


def _whole(source: TensorSource, name: str) -> Tensor:
    return source.get(name).float()
