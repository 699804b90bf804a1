"""The files of DVFace's adapters, which describe themselves: the prior, and what fuses it into a DiT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..models.ops import TORCH_OPS, Ops
from ..models.prior import DualCodebookPrior, PriorConfig
from ..models.prior.fusion import FusionConfig, PriorAdapter
from ..tensor_io.described import FileFormat
from ..tensor_io.load import load_model
from ..tensor_io.source import TensorSource
from ..types import Remedy, VFEError

PRIOR_PREFIX = "prior."
"""Names that start so are of the prior."""


@dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    """What a file holds: a prior, and its fusion unless it is the prior alone, as its training leaves it."""

    prior: PriorConfig
    fusion: FusionConfig | None = None

    @property
    def depths(self) -> tuple[int, ...]:
        """Layers of the predictors, of each scale of the encoder, and of the DiT that the fusion is for."""
        return (*self.prior.depths, self.fusion.layers if self.fusion else 0)


ADAPTER_FORMAT = FileFormat(
    "vfe-adapter-1", AdapterConfig, "an adapter as `vfe export` writes it", Remedy.CHOOSE_ADAPTER
)


def write_adapter(
    path: Path,
    network: PriorAdapter | DualCodebookPrior,
    facts: Mapping[str, Any],
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a prior with or without its fusion in `dtype`; `facts` is kept beside it and says how it was made."""
    if isinstance(network, DualCodebookPrior):
        config = AdapterConfig(prior=network.config)
        state = {PRIOR_PREFIX + name: value for name, value in network.state_dict().items()}
    else:
        config = AdapterConfig(prior=network.prior.config, fusion=network.fusion.config)
        state = network.state_dict()
    ADAPTER_FORMAT.write(path, config, {name: value.to(dtype) for name, value in state.items()}, facts)


def load_adapter(path: Path, dtype: torch.dtype, ops: Ops = TORCH_OPS) -> PriorAdapter:
    """Prior and fusion on the CPU, of the layers `ops`.

    Raises VFEError for a file that is something else, damaged, or a prior alone.
    """
    source = open_adapter(path)
    config = adapter_config(source)
    if config.fusion is None:
        raise VFEError(f"{path}: a prior without its fusion; needed an adapter trained with a DiT")
    fusion = config.fusion
    return load_model(lambda: PriorAdapter(config.prior, fusion, ops), source, dtype=dtype)


def load_prior(path: Path, dtype: torch.dtype) -> DualCodebookPrior:
    """The prior of a file, on the CPU. Raises VFEError for a file that is something else, or damaged."""
    source = open_adapter(path)
    config = adapter_config(source)
    prior = source.select(
        {name.removeprefix(PRIOR_PREFIX): name for name in source.names if name.startswith(PRIOR_PREFIX)}
    )
    return load_model(lambda: DualCodebookPrior(config.prior), prior, dtype=dtype)


def open_adapter(path: Path) -> TensorSource:
    """The tensors of an adapter, of which none is read. Raises VFEError for a file that is no adapter."""
    return ADAPTER_FORMAT.open(path)


def adapter_config(source: TensorSource) -> AdapterConfig:
    """The sizes that an adapter's metadata gives. Raises VFEError where they are damaged."""
    return ADAPTER_FORMAT.config_of(source)
