"""Files that describe themselves: a safetensors file whose metadata says what its model is and how it was trained.

Three entries of the metadata are ours: `format` is the kind of file and its version, such as "vfe-restorer-1"; `config`
is the JSON of the dataclass that the model is built from; `training` is a JSON object on how the weights were made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from torch import Tensor

from ..config import from_mapping
from ..types import Remedy, VFEError
from .open import open_tensors
from .safetensors_file import open_safetensors
from .source import TensorSource, printable
from .write import entries_of, write_safetensors

MAX_METADATA = 1 << 20  # bytes: our own files have a few KB, and a hostile header could be of any size


class LayeredConfig(Protocol):
    """A dataclass from which a model is built."""

    @property
    def depths(self) -> tuple[int, ...]:
        """Numbers of layers of the parts of the model. A file has more tensors than each of them."""


Config = TypeVar("Config", bound=LayeredConfig)


@dataclass(frozen=True)
class FileFormat(Generic[Config]):
    """One kind of file: how it is written, recognised and read."""

    name: str
    """The text of the entry `format` in the metadata."""
    config: type[Config]
    """The dataclass that the entry `config` of the metadata fills."""
    needed: str
    """The end of an error message: which file was needed instead."""
    remedy: Remedy | None = None
    """The remedy of the VFEError that is raised for another kind of file."""

    def write(self, path: Path, config: Config, state: Mapping[str, Tensor], training: Mapping[str, Any]) -> None:
        """Write the tensors of `state` in their own dtypes, aside and renamed.

        `config` must be a dataclass; `training` holds what JSON can. Raises OSError as writing does.
        """
        described = {"config": json.dumps(asdict(config)), "training": json.dumps(training)}  # type: ignore[call-overload]
        write_safetensors(path, entries_of(state), {"format": self.name, **described})

    def names(self, source: TensorSource) -> bool:
        """Whether an open file says that it is of this format."""
        return source.metadata.get("format") == self.name

    def is_at(self, path: Path) -> bool:
        """Whether the file at `path` says that it is of this format; False for everything that cannot be read."""
        try:
            return self.names(open_safetensors(path))
        except (VFEError, OSError):
            return False

    def open(self, path: Path) -> TensorSource:
        """Open the file; no tensor is read. Raises VFEError where it is of another format or cannot be read."""
        source = open_tensors(path)
        if not self.names(source):
            said = source.metadata.get("format")
            what = source.description if said is None else f"its metadata says {printable(said)}"
            fact, needed = f"{path}: {what}", f"needed {self.needed} ({self.name})"
            raise VFEError(fact, self.remedy, needed)
        if sum(len(value) for value in source.metadata.values()) > MAX_METADATA:
            raise VFEError(f"{path}: metadata of over {MAX_METADATA} bytes, ours has a few KB; get the file again")
        return source

    def config_of(self, source: TensorSource) -> Config:
        """Return the config in the metadata; VFEError where it is damaged, or of a model larger than the file."""
        entries = _json_object(source, "config")
        try:
            config = from_mapping(self.config, entries)
        except ValueError as error:
            raise _damaged(source, error) from error
        if max(config.depths) > len(source):  # a model is built before its tensors are compared
            raise VFEError(f"{source.path}: its metadata speaks of more layers than it has tensors; get the file again")
        return config

    def training_of(self, source: TensorSource) -> dict[str, Any]:
        """Return how the weights were made, as `write` was told, or {} without an entry; VFEError if damaged."""
        return _json_object(source, "training") if "training" in source.metadata else {}


def _json_object(source: TensorSource, entry: str) -> dict[str, Any]:
    try:
        value = json.loads(source.metadata[entry])
    except (KeyError, ValueError, RecursionError) as error:
        raise _damaged(source, error) from error
    if not isinstance(value, dict):
        raise _damaged(source, f"{entry} is a {type(value).__name__}, needed a JSON object")
    return value


def _damaged(source: TensorSource, why: object) -> VFEError:
    return VFEError(f"{source.path}: its metadata is damaged ({printable(why, 200)}); get the file again")
