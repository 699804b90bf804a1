"""Latents of fixed pairs, encoded once and stored in files whose names are hashes of all that they depend on.

t h w latent grid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from vfe.weights.wan_vae import open_vae

from ..data.kept_tensors import KeptTensors, hash_of
from ..run.recorded import NOT_RECORDED

LATENTS_FORMAT = "vfe-latents-1"
"""A number to be raised when the making of pairs or latents changes: older files are then not found."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class FixedPairsConfig:
    """Train on `variants` fixed pairs of every clip and portrait, instead of new ones without end."""

    variants: int = 4
    folder: str | None = field(default=None, metadata=NOT_RECORDED)
    """The folder in which latents are kept; None encodes them each time anew, to the same values."""
    dtype: Literal["fp32", "bf16", "fp16"] = "bf16"
    """The number format of the latents; their error is 50 dB below them in bf16."""

    def __post_init__(self) -> None:
        if self.variants < 1 or self.dtype not in DTYPES:
            raise ValueError(f"fixed has variants={self.variants}, dtype={self.dtype!r}; needed >= 1, {list(DTYPES)}")


class LatentPair(NamedTuple):
    """Latents (16, t, h, w) of a degraded and a clean clip, and its face mask (1, t, h, w) of 0 and 1; or a batch."""

    degraded: Tensor
    clean: Tensor
    mask: Tensor


class LatentFiles(KeptTensors):
    """A folder of encoded pairs, stored in `dtype`."""

    def __init__(self, folder: Path, dtype: torch.dtype) -> None:
        super().__init__(folder, LATENTS_FORMAT)
        self.dtype = dtype

    def get(self, key: str) -> LatentPair:
        """The pair of a key, in float32. Raises VFEError where its file is not there or damaged."""
        kept = self.read(key)
        return LatentPair(*(kept[name].float() for name in LatentPair._fields))

    def put(self, key: str, pair: LatentPair) -> None:
        """Store a pair. Raises OSError as writing does."""
        stored = LatentPair(pair.degraded.to(self.dtype), pair.clean.to(self.dtype), pair.mask.to(torch.uint8))
        self.write(key, stored._asdict())


def key_of(vae: str, dtype: torch.dtype, pair: Mapping[str, Any]) -> str:
    """SHA-256 of what a pair's latents depend on: the hash of the VAE's weights, the dtype, and how the pair was made
    (plain values: hashes of its clip and labels, every number of its degradation and crop)."""
    return hash_of({"format": LATENTS_FORMAT, "vae": vae, "dtype": str(dtype), "pair": pair})


def vae_hash(path: Path) -> str:
    """SHA-256 of a VAE's weights under their official names: the same for every layout of the same weights."""
    _, source = open_vae(path)
    digest = hashlib.sha256()
    for name in sorted(source):
        digest.update(f"{name} {source.dtype(name)} {source.shape(name)}".encode())
        digest.update(source.get(name).contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
