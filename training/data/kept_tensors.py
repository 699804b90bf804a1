"""Tensors that are computed once and kept in files, whose names are hashes of all that they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from vfe.tensor_io.open import open_tensors
from vfe.tensor_io.write import entries_of, write_safetensors

HASH_BLOCK_BYTES = 1 << 22  # bytes that are hashed at once


class KeptTensors:
    """A folder of files, each of several named tensors.

    Several runs and processes may share it: a file is there whole, or not at all.
    """

    def __init__(self, folder: Path, format: str) -> None:
        """`format` stands in each file, for people who find it."""
        self.folder, self.format = folder, format

    def path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.path(key).is_file()

    def read(self, key: str) -> dict[str, Tensor]:
        """The tensors of a key, in the dtypes in which they are kept. Raises VFEError where its file is not there or
        damaged."""
        source = open_tensors(self.path(key))
        return {name: source.get(name) for name in source.names}

    def write(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep tensors. The file is written under a name of its own and renamed, as another process may be at the same
        key.

        Raises OSError as writing does.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        write_safetensors(self.path(key), entries_of(tensors), {"format": self.format})


def hash_of(facts: Mapping[str, Any]) -> str:
    """SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=65536)
def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes; it is read once a run."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
