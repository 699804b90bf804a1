"""Adapter files: the prior of DVFace, and what fuses it into a DiT, as one safetensors file that says its own sizes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..config import from_mapping
from ..models.ops import TORCH_OPS, Ops
from ..models.prior import DualCodebookPrior, PriorConfig
from ..models.prior.fusion import FusionConfig, PriorAdapter
from ..tensor_io.load import Network, build_on_meta, check_fits, load_strictly, shapes_of
from ..tensor_io.open import open_tensors
from ..tensor_io.source import Entry, TensorSource
from ..tensor_io.write import write_safetensors
from ..types import Remedy, VFEError

FORMAT = "vfe-adapter-1"
PRIOR = "prior."


@dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    """What a file holds: a prior, and its fusion unless it is the prior alone, as its training leaves it."""

    prior: PriorConfig
    fusion: FusionConfig | None = None


def write_adapter(
    path: Path,
    network: PriorAdapter | DualCodebookPrior,
    facts: Mapping[str, Any],
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a prior with or without its fusion in `dtype`; `facts` is kept beside it and says how it was made."""
    if isinstance(network, DualCodebookPrior):
        config = AdapterConfig(prior=network.config)
        state = {PRIOR + name: value for name, value in network.state_dict().items()}
    else:
        config = AdapterConfig(prior=network.prior.config, fusion=network.fusion.config)
        state = network.state_dict()
    stored = {name: value.detach().to("cpu", dtype).contiguous() for name, value in state.items()}
    entries = {
        name: Entry(tuple(value.shape), dtype, partial(stored.__getitem__, name)) for name, value in stored.items()
    }
    metadata = {"format": FORMAT, "config": json.dumps(asdict(config)), "training": json.dumps(facts)}
    write_safetensors(path, entries, metadata)


def load_adapter(path: Path, dtype: torch.dtype, ops: Ops = TORCH_OPS) -> PriorAdapter:
    """Prior and fusion on the CPU, of the layers `ops`.

    Raises VFEError for a file that is something else, damaged, or a prior alone.
    """
    source = open_adapter(path)
    config = adapter_config(source)
    if config.fusion is None:
        raise VFEError(f"{path}: a prior without its fusion; needed an adapter trained with a DiT")
    fusion = config.fusion
    return _load(lambda: PriorAdapter(config.prior, fusion, ops), source, dtype)


def load_prior(path: Path, dtype: torch.dtype) -> DualCodebookPrior:
    """The prior of a file, on the CPU. Raises VFEError for a file that is something else, or damaged."""
    source = open_adapter(path)
    config = adapter_config(source)
    prior = source.select({name.removeprefix(PRIOR): name for name in source.names if name.startswith(PRIOR)})
    return _load(lambda: DualCodebookPrior(config.prior), prior, dtype)


def open_adapter(path: Path) -> TensorSource:
    """VFEError for a file that is no adapter."""
    source = open_tensors(path)
    if source.metadata.get("format") != FORMAT:
        fact, needed = f"{path}: {source.description}", "needed an adapter as `vfe export` writes it"
        raise VFEError(fact, Remedy.CHOOSE_ADAPTER, needed)
    return source


def adapter_config(source: TensorSource) -> AdapterConfig:
    """The sizes that an adapter's metadata gives. Raises VFEError where they are damaged."""
    try:
        config = from_mapping(AdapterConfig, json.loads(source.metadata["config"]))
    except (KeyError, ValueError) as error:
        raise VFEError(f"{source.path}: its metadata is damaged ({error}); get the file again") from error
    depths = (*config.prior.depths, config.fusion.layers if config.fusion else 0)
    if max(depths) > len(source):  # it is built before its tensors are compared
        raise VFEError(f"{source.path}: its metadata speaks of more layers than it has tensors; get the file again")
    return config


def _load(build: Callable[[], Network], source: TensorSource, dtype: torch.dtype) -> Network:
    network = build_on_meta(build)
    check_fits(source.path, shapes_of(network), source)
    return load_strictly(network, source.get, source.path, device=torch.device("cpu"), dtype=dtype)
